import type { AppendOutcome } from '../../topics/engine.ts';
import type { MessageIdBudget } from '../../topics/message-id-budget.ts';
import { gatewayPayer } from '../../topics/payer.ts';
import type { QueuedAppend } from '../append-queue.ts';
import type { UpstreamRequest } from './upstream.ts';

export interface Charged {
  readonly requests: readonly UpstreamRequest[];
  /** To be called with their outcomes: what is not remembered for them costs nothing. */
  readonly settle: (outcomes: readonly AppendOutcome[]) => void;
}

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
    const charged = new Map<number, number>();
    const requests = queued.map(({ request }, i): UpstreamRequest => {
      if (request.fields.messageId === undefined) return { request, refusedForMs: undefined };
      const payer = request.payer ?? gatewayPayer;
      const refusal = this.#budget.refusal(payer, nowMs);
      if (refusal !== undefined) return { request, refusedForMs: refusal.retryAfterMs };
      charged.set(i, this.#budget.charge(payer, nowMs));
      return { request, refusedForMs: undefined };
    });
    return { requests, settle: (outcomes) => this.#settle(charged, outcomes) };
  }

  #settle(charged: ReadonlyMap<number, number>, outcomes: readonly AppendOutcome[]): void {
    for (const [i, id] of charged) {
      const outcome = outcomes[i];
      if (outcome?.ok !== true || outcome.duplicate) this.#budget.cancel(id);
    }
  }
}
