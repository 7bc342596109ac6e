import type {
  Granted,
  Position,
  Publication,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { Feed, FeedExtras, Known } from './feed.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { StateMap } from './subscription.ts';
import type { WirePort } from './wire-port.ts';

type Topic = Known<ReceivedPublication>;

/** A subscription of the application, as the one on the wire that it shares with others sees it. */
export interface Member extends Feed<ReceivedPublication> {
  /** It wants to begin where the gateway was not asked to begin yet. */
  isUnserved: boolean;
  extras: MemberExtras | undefined;
  readonly wire: Shared | undefined;
  readonly cursor: string | undefined;
  /**
   * Shares this wire from now on. Goes on where another member is, or wants to go back: to an older `since` or
   * `cursor`, or by the `last` N. A state topic shows the newcomer its map instead.
   */
  joins(wire: Shared, other: Member | undefined): void;
  /** What it knows, for a newcomer that goes on from there. */
  copies(): Iterable<readonly [topic: string, known: Topic]>;
  /** It begins, or begins again. `starts`: the positions that were asked for; `byCursor`: a cursor was. */
  begin(granted: Granted, starts: readonly TopicPosition[], byCursor?: boolean): void;
  /** The topic has a new numbering, or its first publication. */
  reset(frame: ServerKinds['reset']): void;
  /** Where it is in the topic of a batch. */
  place(topic: string, batch: Pick<ServerKinds['batch'], 'epoch' | 'after'>): Topic;
  refuse(error: ClientError): void;
  /** Of an inbox: whether the application gets its publications. */
  isHeard(): boolean;
}

/** What a member asks of what it keeps beside where it is: it is a pattern, has keys, or begins where it wants to. */
export interface MemberExtras extends FeedExtras<ReceivedPublication> {
  readonly wishes: Set<string>;
  /** Topics of a pattern were forgotten: without a cursor all of them would come again. */
  readonly hasForgotten: boolean;
  /** State topics as another member of a pattern knew them, until this one hears where they are. */
  readonly inherited: ReadonlyMap<string, Topic>;
  /** Returns whether it begins where it wants to, and not where the other member is. */
  joins(wireCursor: string | undefined, other: Member | undefined): boolean;
  /** Where it begins in a topic of another member, which has that many: there, or the `last` N before. */
  begins(topic: string, at: Topic, topics: number): Topic;
  /** Where it is in a topic. One of a namespace whose forgotten topics were state topics is a state topic. */
  placed(topic: string, at: Topic): Topic;
  /** Forgets topics of a pattern that have been quiet, where there are many: oldest first, a few at a time. */
  forgetQuiet(): void;
  /** The gateway is asked for these keys: others are shown no more, and values of new ones are to come. */
  wants(keys: ReadonlySet<string>): void;
}

/**
 * needed → asked → live → needed …: to be asked for; the command is out; batches may come. `off`: refused, ended or put
 * off, perhaps to be asked for later. Each transition is one function named `to…`.
 */
export type WireState = 'needed' | 'asked' | 'live' | 'off';

/** A subscription on the wire, as those see it that share it, and those that ask for it. */
export interface Shared {
  readonly topic: string;
  readonly isPattern: boolean;
  options: SubscribeOptions;
  /** Equal for equal subscriptions. */
  key: string;
  readonly state: WireState;
  /** The number by which the gateway's frames name it while it is live. */
  view: number;
  readonly members: Set<Member>;
  cursor: string | undefined;
  starts: readonly TopicPosition[];
  readonly extras: WireExtras | undefined;
  readonly port: WirePort;
  /** Adds a member. Returns whether the wire has to go back to serve its `since` or `last`. */
  join(member: Member): boolean;
  /** As the application gets them. */
  received(topic: string, publications: readonly Publication[]): readonly ReceivedPublication[];
  /** Everything up to this cursor has come. */
  advance(cursor: string | undefined): void;
  /** Asked for, or made by the gateway on its own: granted. */
  toLive(result: Granted): void;
}

/** What a subscription on the wire does beside, where it is more than one topic from now on. */
export interface WireExtras {
  /** Where it asks for some keys of a state topic only. */
  readonly keyed: Keyed | undefined;
  /** A pattern's topic of which something is missing that `cursor` may count as received. */
  readonly suspect: string | undefined;
  readonly wasLive: boolean;
  /** A member joined after the subscribe was sent, and wants more. */
  readonly mustAskAgain: boolean;
  /** Of an inbox: a newcomer, which may begin where it likes, gets what came when nothing listened. */
  welcome(member: Member): void;
  /** Returns what else to ask the gateway for. */
  toAsked(): Omit<WireSubscription, 'topic'>;
  toLive(result: Granted): void;
  /** Something is missing of the topic. */
  lacks(topic: string): undefined;
  /** What is shown of them to a member whose map this is. */
  shown(
    fresh: readonly ReceivedPublication[],
    member: Member,
    map: Topic['map'] | undefined,
  ): readonly ReceivedPublication[];
  /** Publications after `before` came, and were shown to all members. */
  had(before: Position, offset: number): void;
  /** Everything up to the wire's cursor has come. */
  advanced(): void;
}

/** The keys of a subscription on the wire: those wanted, those asked for, those of the view. */
export interface Keyed {
  readonly asked: ReadonlySet<string> | undefined;
  /** The wanted keys are others than those that the gateway was asked for. */
  readonly mustRekey: boolean;
  /** A command for other keys is out. */
  isRekeying: boolean;
  readonly inView: ReadonlySet<string> | undefined;
  /** Returns the keys to ask the gateway for. Of those that left nothing is told any more. */
  toAsked(): readonly string[];
  /** There is a view of the keys that were asked for. */
  toGranted(): void;
  /** Not of keys that left, nor older than the value of a partial snapshot. */
  shown(fresh: readonly ReceivedPublication[], map?: StateMap): readonly ReceivedPublication[];
  /** A page of a snapshot for this member: a partial one adds to what it has. */
  page(
    snapshot: { readonly topic: string; readonly first: boolean; readonly partial?: boolean },
    publications: readonly ReceivedPublication[],
    member: Member,
  ): readonly ReceivedPublication[];
}
