import type { RequestHead } from '../../../src/api/http.ts';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import { eventLoop } from '../../../src/fanout/turns.ts';
import type { Admission, Applicant } from '../../../src/sessions/admission/admission.ts';
import { HeldBytes } from '../../../src/sessions/limits/charges.ts';
import { TurnBudget } from '../../../src/sessions/limits/turn-budget.ts';
import { StreamCursors } from '../../../src/sessions/subscriptions/stream-cursors.ts';
import { RequestIds } from '../../../src/transport/request-ids.ts';
import { RequestTurn } from '../../../src/transport/uws/request-turn.ts';
import { StreamReads } from '../../../src/transport/uws/stream-reads.ts';
import { peerOf } from '../../sessions/fixtures.ts';
import type { Gateway } from '../sink-contract.ts';

/** The address of a client that sends no header `x-address`. */
const usualAddress = '192.0.2.1';

function applicantOf(address: string) {
  const source = { address, addressKey: address, account: '', origin: '', credential: '' };
  return { ...source, fallback: anonymousIdentity };
}

/** What streams and polls have of a gateway that admits all, on a clock that stands still, at no cost. */
export function streamParts(gateway: Gateway, backpressureMaxBytes: number) {
  const { sessions, broker, counts, connectionLimits } = gateway;
  const held = new HeldBytes({ perPayer: 1e6, total: 1e6 });
  const admission = {
    ask: () => undefined,
    askToRead: () => undefined,
    hasConnection: () => undefined,
    identify: () => anonymousIdentity,
    admit: ({ address, addressKey }: Applicant) => ({
      ...peerOf(anonymousIdentity, connectionLimits),
      address,
      addressKey,
    }),
  } as unknown as Admission;
  return {
    readApplicant: (head: RequestHead) => applicantOf(head.header('x-address') || usualAddress),
    admission,
    incoming: held,
    unread: held,
    bodyMaxBytes: 1000,
    sessions,
    backpressureMaxBytes,
    cursors: new StreamCursors(broker.commits),
    withCors: <T>(answer: T) => answer,
    monotonicMs: () => 0,
    metrics: counts.metrics,
    requestIds: new RequestIds({ hasProxies: () => false, isProxy: () => false }),
    turn: new RequestTurn(eventLoop),
    reads: new StreamReads({
      limits: { workWaitMs: () => 0, spent: () => undefined },
      workMs: () => 0,
      turns: eventLoop,
      metrics: counts.metrics,
    }),
    turnBudget: new TurnBudget(eventLoop, 5),
    connections: { areEnding: false },
  };
}
