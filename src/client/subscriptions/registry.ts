import type { WireError } from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { Shared } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** All subscriptions on the wire, for the code in `extras`. */
export interface Registry {
  readonly byKey: Map<string, Shared>;
  readonly byView: Map<number, Shared>;
  readonly commands: PendingCommands;
  readonly dictionaries: { forget(view: number): void } | undefined;
  all(): readonly Shared[];
  /** Equal for equal subscriptions. */
  keyOf(topic: string, options: SubscribeOptions): string;
  /** Sends those that are needed. */
  flush(): void;
  /** Ends its view and subscribes again, from the positions of its members. */
  askAgain(wire: Shared): void;
  askLater(wire: Shared, delayMs: number): void;
  /** Sends it as soon as an equal one has ended, rather than at the planned time. */
  unplan(wire: Shared): void;
  /** The gateway has refused or ended it. */
  end(wire: Shared, error: WireError): void;
  /** Ends the view of a subscription. */
  release(wire: Shared): void;
  /** Ends a view of a subscription with this key. */
  releaseView(view: number, key: string): void;
  /** Whether the gateway may still have a subscription with this key, which the client is about to end. */
  isEnding(key: string): boolean;
  /** Forgets a subscription without members. */
  drop(wire: Shared): void;
  /** The gateway doesn't reply: the connection is of no use. */
  abandon(error: ClientError): void;
}
