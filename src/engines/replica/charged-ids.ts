import type { AppendOutcome } from '../../topics/engine.ts';
import type { MessageIdBudget } from '../../topics/message-id-budget.ts';
import { gatewayPayer } from '../../topics/payer.ts';
import type { QueuedAppend } from '../append-queue.ts';
import type { UpstreamRequest } from './upstream.ts';

export interface ChargedRequests {
  readonly requests: readonly UpstreamRequest[];
  /** To be called with the outcomes: ids that were not remembered cost nothing. */
  readonly settle: (outcomes: readonly AppendOutcome[]) => void;
}

const nothing = () => undefined;

const hasId = ({ request }: QueuedAppend) => request.fields.messageId !== undefined;

const unlimited = ({ request }: Pick<QueuedAppend, 'request'>): UpstreamRequest => ({
  request,
  refusedForMs: undefined,
});

/**
 * Charges message ids to the payers of this node, before the store remembers them; each node limits its own. A request
 * whose payer is over its limit is sent all the same, because the store may know the id already.
 */
export class ChargedIds {
  readonly #budget: MessageIdBudget;

  constructor(budget: MessageIdBudget) {
    this.#budget = budget;
  }

  charge(queued: readonly QueuedAppend[], nowMs: number): ChargedRequests {
    if (!queued.some(hasId)) return { requests: queued.map(unlimited), settle: nothing };
    const charged = new Map<number, number>();
    const requests = queued.map(({ request }, i): UpstreamRequest => {
      if (request.fields.messageId === undefined) return unlimited({ request });
      const payer = request.payer ?? gatewayPayer;
      const refusal = this.#budget.refusal(payer, nowMs);
      if (refusal !== undefined) return { request, refusedForMs: refusal.retryAfterMs };
      charged.set(i, this.#budget.charge(payer, nowMs));
      return unlimited({ request });
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
