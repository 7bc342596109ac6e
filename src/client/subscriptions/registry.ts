import type { WireError } from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { Shared } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** All subscriptions on the wire, and what can be done about one. */
export interface Registry {
  readonly byKey: Map<string, Shared>;
  readonly byView: Map<number, Shared>;
  readonly commands: PendingCommands;
  readonly dictionaries: { forget(view: number): void } | undefined;
  all(): readonly Shared[];
  /** Equal for equal subscriptions. */
  keyOf(topic: string, options: SubscribeOptions): string;
  /** Asks for those that are needed. */
  flush(): void;
  /** Ends its view and asks for another one, from where its members are. */
  askAgain(wire: Shared): void;
  askLater(wire: Shared, delayMs: number): void;
  /** It is no longer asked for at its time, but when those before it have ended. */
  unplan(wire: Shared): void;
  /** The gateway has refused or ended it. */
  end(wire: Shared, error: WireError): void;
  /** Ends its view. */
  release(wire: Shared): void;
  /** Ends a view of a subscription with this key. */
  releaseView(view: number, key: string): void;
  /** Whether the gateway may still have a subscription with this key that is to end. */
  isEnding(key: string): boolean;
  /** Forgets a subscription without members. */
  drop(wire: Shared): void;
  /** The gateway doesn't reply: the connection is of no use. */
  abandon(error: ClientError): void;
}
