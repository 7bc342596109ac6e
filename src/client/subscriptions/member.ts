import type { ClientError } from '../client-error.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { Feed } from './feed.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** What a member reads of its subscription on the wire. */
export interface Carrier {
  readonly cursor: string | undefined;
  readonly keys: ReadonlySet<string> | undefined;
  readonly viewKeys: ReadonlySet<string> | undefined;
}

/** A subscription of the application, as the one on the wire that it shares with others sees it. */
export interface Member extends Feed<ReceivedPublication> {
  readonly options: SubscribeOptions;
  /** It wants to begin where the gateway was not asked to begin yet. */
  isUnserved: boolean;
  /** Topics of a pattern were forgotten: without a cursor all of them would come again. */
  readonly hasForgotten: boolean;
  readonly cursor: string | undefined;
  /**
   * Shares this wire from now on. Goes on where another member is, or wants to go back: to an older `since` or
   * `cursor`, or by the `last` N. A state topic shows the newcomer its map instead.
   */
  joins(wire: Carrier, other: Member | undefined): void;
  /** Came late to state topics: sees at once what the others see. */
  showAll(): void;
  refuse(error: ClientError): void;
  /** Of an inbox: whether the application gets its publications. */
  isHeard(): boolean;
  /** The gateway is asked for these keys: others are shown no more, and values of new ones are to come. */
  wants(keys: ReadonlySet<string>): void;
  /** Forgets topics of a pattern that have been quiet, where there are many: oldest first, a few at a time. */
  forgetQuiet(): void;
}
