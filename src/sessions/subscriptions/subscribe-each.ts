import type { Awaitable } from '../../awaitable.ts';
import type { SubscribeResult, Subscription } from '../../protocol/frames.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Session } from '../session.ts';

/** Makes one subscription, or says why not. What it throws is a fault of the gateway. */
type Subscribe = (subscription: Subscription, index: number) => SubscribeResult;

interface Work {
  readonly turnBudget: TurnBudget;
  /** Runs a part of the work, to charge its time. */
  readonly timed: (run: () => void) => void;
}

/**
 * Makes subscriptions of one session by `one`, and returns their results. Patterns take long, so the list takes as many
 * turns as it needs. Meanwhile the session is paused, and the caller that gets the results has to resume it. Once the
 * session has ended, no more are made. If `one` throws, none of them exists.
 */
export function subscribeEach(
  session: Session,
  subscriptions: readonly Subscription[],
  one: Subscribe,
  { turnBudget, timed }: Work,
): Awaitable<readonly SubscribeResult[]> {
  const inTurn = new SubscriptionsInTurn(session, subscriptions, one);
  // Those that are made continue where the replaced ones were, all of them at the same moment.
  const isWhole = subscriptions.some(({ replaces }) => replaces === true);
  const rest = turnBudget.inPieces(() => {
    let goesOn = false;
    timed(() => {
      do goesOn = inTurn.next();
      while (isWhole && goesOn);
    });
    return goesOn;
  });
  if (rest === undefined) return inTurn.results;
  session.views.pause();
  return rest
    .then(() => timed(() => inTurn.again()))
    .then(
      () => inTurn.results,
      (fault: unknown) => {
        session.views.resume();
        throw fault;
      },
    );
}

class SubscriptionsInTurn {
  readonly results: SubscribeResult[] = [];
  readonly #session: Session;
  readonly #subscriptions: readonly Subscription[];
  readonly #one: Subscribe;

  constructor(session: Session, subscriptions: readonly Subscription[], one: Subscribe) {
    this.#session = session;
    this.#subscriptions = subscriptions;
    this.#one = one;
  }

  /** Makes the next one. Returns whether there are more to make. */
  next(): boolean {
    const index = this.results.length;
    const subscription = this.#subscriptions[index];
    if (subscription === undefined || this.#session.isClosed) return false;
    this.results.push(this.#make(subscription, index));
    return index + 1 < this.#subscriptions.length;
  }

  /** Makes those anew that have been ended between two turns, as of permissions that are new: the client learns why. */
  again(): void {
    if (this.#session.isClosed) return;
    for (const each of this.#gone()) {
      const index = this.results.indexOf(each);
      this.results[index] = this.#make(this.#subscriptions[index] as Subscription, index);
    }
  }

  #make(subscription: Subscription, index: number): SubscribeResult {
    try {
      return this.#one(subscription, index);
    } catch (fault) {
      this.#undo();
      throw fault;
    }
  }

  #gone(): readonly SubscribeResult[] {
    const { views } = this.#session;
    return this.results.filter((result) => 'view' in result && views.get(result.view) === undefined);
  }

  #undo(): void {
    const { views } = this.#session;
    for (const result of this.results) {
      const sessionView = 'view' in result ? views.get(result.view) : undefined;
      if (sessionView !== undefined) views.remove(sessionView, 'refused');
    }
  }
}
