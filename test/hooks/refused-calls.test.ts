import { expect, test } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { hookedApplication } from '../../src/hooks/application.ts';
import { Gate } from '../../src/hooks/gate.ts';
import type { Asker } from '../../src/sessions/application.ts';
import { HeldBytes } from '../../src/sessions/charges.ts';
import { RecordedMetrics } from '../support/metrics.ts';

test('calls of one client: the payload is copied of those that are asked, not of one that is refused', async () => {
  const gate = new Gate({
    ...{ hook: 'call', timeoutMs: 60_000, concurrency: 64, metrics: new RecordedMetrics().metrics },
    held: new HeldBytes({ perPayer: 1e9, total: 1e9 }),
    monotonicMs: () => performance.now(),
    log: { warn: () => undefined },
  });
  let answer: (value: string) => void = () => undefined;
  const answered = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const application = hookedApplication({
    ...{ hooks: {}, handlers: new Map([['any', () => answered]]), handlerGate: gate, payloadMaxBytes: 100 },
    isOwn: () => false,
    refusal: () => undefined,
  });
  const asker = {
    payer: { account: 'user a', isVerified: true },
    identity: { permissions: [] },
    transport: 'websocket',
  } as unknown as Asker;
  let copies = 0;
  const bytes = new Uint8Array(Buffer.from('1'));
  bytes.slice = () => {
    copies++;
    return new Uint8Array(bytes);
  };
  const call = () => application.call?.(asker, 'any', { format: 'json', bytes });
  const taken = Array.from({ length: 32 }, call);
  expect(await call()).toMatchObject({ code: 'rate_limited' });
  expect(copies).toBe(32);
  answer('yes');
  for (const reply of await Promise.all(taken)) expect(reply).not.toBeInstanceOf(SluiceError);
});
