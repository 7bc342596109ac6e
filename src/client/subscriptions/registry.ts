import type { SharedSubscription } from './shared-subscription.ts';
import type { LocalSubscription } from './subscription.ts';

/** All subscriptions of a client, by what finds them: their key, their view, their members. */
export class Registry {
  readonly byKey = new Map<string, SharedSubscription>();
  readonly byView = new Map<number, SharedSubscription>();
  readonly homes = new Map<LocalSubscription, SharedSubscription>();

  all(): SharedSubscription[] {
    return [...this.byKey.values()];
  }
}
