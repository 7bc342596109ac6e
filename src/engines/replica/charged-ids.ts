import type { AppendOutcome } from '../../topics/engine.ts';
import type { MessageIdBudget, RememberedId } from '../../topics/message-id-budget.ts';
import { gatewayPayer } from '../../topics/payer.ts';
import type { QueuedAppend } from '../append-queue.ts';
import type { UpstreamRequest } from './upstream.ts';

export interface Charged {
  readonly requests: readonly UpstreamRequest[];
  /** To be called with their outcomes: what is not remembered for them costs nothing. */
  readonly settle: (outcomes: readonly AppendOutcome[]) => void;
}

/** The store forgets by itself. */
const owner = { expireOldest: () => undefined };

/**
 * Charges message ids to those who publish here, before the store remembers them: each node bounds its own. A request
 * whose id its publisher can't pay for is sent all the same, as the store may know it.
 */
export class ChargedIds {
  readonly #budget: MessageIdBudget;

  constructor(budget: MessageIdBudget) {
    this.#budget = budget;
  }

  charge(queued: readonly QueuedAppend[], nowMs: number): Charged {
    const charged = new Map<number, RememberedId>();
    const requests = queued.map(({ request }, i): UpstreamRequest => {
      const { messageId } = request.fields;
      if (messageId === undefined) return { request, refusedForMs: undefined };
      const payer = request.payer ?? gatewayPayer;
      const refusal = this.#budget.refusal(payer, messageId, nowMs);
      if (refusal !== undefined) return { request, refusedForMs: refusal.retryAfterMs };
      charged.set(i, this.#budget.add(payer, messageId, { offset: 0, digest: '', atMs: nowMs }, owner));
      return { request, refusedForMs: undefined };
    });
    return { requests, settle: (outcomes) => this.#settle(charged, outcomes) };
  }

  #settle(charged: ReadonlyMap<number, RememberedId>, outcomes: readonly AppendOutcome[]): void {
    for (const [i, id] of charged) {
      const outcome = outcomes[i];
      if (outcome?.ok !== true || outcome.duplicate) this.#budget.cancel(id);
    }
  }
}
