import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { describe, expect, test } from 'vitest';
import type { RequestRates } from '../../../src/api/request-rates.ts';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import type { Admission } from '../../../src/sessions/admission/admission.ts';
import type { ByteCharges } from '../../../src/sessions/limits/charges.ts';
import type { Peer } from '../../../src/sessions/peer.ts';
import { RequestIds } from '../../../src/transport/request-ids.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { UpgradeHandler } from '../../../src/transport/uws/upgrade.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { RecordedMetrics } from '../../support/metrics.ts';

/** Each handshake that is admitted takes a millisecond. */
function makeUpgrades() {
  const turns = new FakeTurns();
  const opened: number[] = [];
  const aborted = new Map<number, () => void>();
  const address = { address: 'a', addressKey: 'a', account: '', origin: '', credential: '' };
  const handler = new UpgradeHandler({
    readApplicant: () => ({ ...address, fallback: anonymousIdentity }),
    admission: {
      ask: () => undefined,
      identify: () => anonymousIdentity,
      admit: () => {
        turns.elapse(1);
        return {} as Peer;
      },
    } as unknown as Admission,
    withCors: (answer) => answer,
    metrics: new RecordedMetrics().metrics,
    rates: undefined as unknown as RequestRates,
    openSocket: () => ({ cork: (run) => run() }),
    unread: {} as ByteCharges,
    monotonicMs: () => 0,
    writeTimeoutMs: 1000,
    requestIds: new RequestIds({ hasProxies: () => false, isProxy: () => false }),
    turn: new RequestTurn(turns),
    connections: { areEnding: false },
  });
  const headers: Readonly<Record<string, string>> = {
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const request = {
    getCaseSensitiveMethod: () => 'GET',
    getUrl: () => '/ws',
    getQuery: () => '',
    getHeader: (name: string) => headers[name] ?? '',
  };
  const open = (id: number) => {
    const response = {
      onAborted: (run: () => void) => aborted.set(id, run),
      cork: (run: () => void) => run(),
      upgrade: () => opened.push(id),
    };
    const asked = { codec: codecs.json, topic: undefined, joins: undefined, subprotocol: '' };
    handler.upgrade(
      response as unknown as HttpResponse,
      request as unknown as HttpRequest,
      undefined as never,
      'tcp',
      () => asked,
    );
  };
  return { turns, opened, aborted, open };
}

describe('handshakes', () => {
  test('of a turn are done in it up to the two hundredth, the rest in turns with time for others', () => {
    const { turns, opened, aborted, open } = makeUpgrades();
    for (let id = 1; id <= 225; id++) open(id);
    expect(opened.length).toBe(199);
    aborted.get(201)?.();
    turns.turn();
    expect(opened.slice(199)).toEqual([200, 202, 203, 204, 205, 206, 207, 208, 209, 210]);
    turns.turn();
    turns.turn();
    expect(opened.length).toBe(224);
  });
});
