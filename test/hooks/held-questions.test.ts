import { expect, test } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { type HookedOptions, hookedApplication } from '../../src/hooks/application.ts';
import type { HookName } from '../../src/hooks/contract.ts';
import { Gate } from '../../src/hooks/gate.ts';
import type { Asker } from '../../src/sessions/application.ts';
import { HeldBytes } from '../../src/sessions/limits/charges.ts';
import { RecordedMetrics } from '../support/metrics.ts';

const asker = {
  payer: { account: 'user a', isVerified: true },
  identity: { permissions: [] },
  transport: 'websocket',
} as unknown as Asker;

function makeGate(hook: HookName, held = new HeldBytes({ perPayer: 1e9, total: 1e9 })): Gate {
  return new Gate({
    hook,
    held,
    timeoutMs: 60_000,
    concurrency: 64,
    metrics: new RecordedMetrics().metrics,
    monotonicMs: () => performance.now(),
    log: { warn: () => undefined },
  });
}

function application(more: Partial<HookedOptions>) {
  return hookedApplication({
    hooks: {},
    handlerOf: () => undefined,
    payloadMaxBytes: 100,
    ...more,
    isOwn: () => false,
  });
}

test.each([
  ['are copied once, that of a refused call is not', 32, false],
  ['are not copied if they last', 0, true],
])('the payloads of calls %s', async (_, copied, lasts) => {
  let answer: (value: string) => void = () => undefined;
  const answered = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const { call } = application({
    hooks: {
      call: {
        answerer: { ask: async () => ({ data: await answered }) },
        gate: makeGate('call'),
        failsOpen: false,
      },
    },
  });
  let copies = 0;
  const bytes = new Uint8Array(Buffer.from('1'));
  bytes.slice = () => {
    copies++;
    return new Uint8Array(bytes);
  };
  const ask = () => call?.(asker, 'any', { format: 'json', bytes, lasts });
  const taken = Array.from({ length: 32 }, ask);
  expect(await ask()).toMatchObject({ code: 'rate_limited' });
  expect(copies).toBe(copied);
  answer('yes');
  for (const reply of await Promise.all(taken)) expect(reply).not.toBeInstanceOf(SluiceError);
});

test('questions to the connect hook are charged for the headers that they pass on', () => {
  const held = new HeldBytes({ perPayer: 1e9, total: 1e9 });
  const answerer = { ask: () => new Promise<never>(() => undefined) };
  const { connect } = application({
    hooks: { connect: { answerer, gate: makeGate('connect', held), failsOpen: false } },
  });
  void connect?.(asker, { reason: 'open', origin: '', headers: { cookie: 'x'.repeat(5000) } });
  expect(held.total).toBeGreaterThanOrEqual(5000);
});
