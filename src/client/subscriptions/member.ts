import type {
  Granted,
  Position,
  Publication,
  TopicPosition,
  WireError,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { ReceivedPublication } from '../publication.ts';
import type { Runtime } from '../runtime.ts';
import type { Timer } from '../timer.ts';
import type { Acknowledging } from './extras/acknowledging.ts';
import type { Feed, FeedExtras, FeedTopic } from './feed.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { StateMap } from './subscription.ts';

type Topic = FeedTopic<ReceivedPublication>;

/**
 * How far a start of its own is. `waiting`: the gateway is to be asked for it, and the member gets nothing until then.
 * `asked`: the gateway was asked, and what follows is not complete yet.
 */
export type Stage = 'waiting' | 'asked';

/** Tells whether the application listens. */
export interface Audience {
  hears(event: 'publication'): boolean;
}

/** A subscription of the application, for the subscription on the wire that it shares with equal ones. */
export interface Member extends Feed<ReceivedPublication> {
  /** That of `extras`. */
  readonly stage: Stage | undefined;
  extras: MemberExtras | undefined;
  readonly wire: Shared | undefined;
  readonly cursor: string | undefined;
  /**
   * Shares this wire from now on. Continues at the position of another member, unless its `since` or `cursor` may be
   * an earlier one, or it wants the `last` N. The newcomer to a state topic gets the map instead.
   */
  joins(wire: Shared, other: Member | undefined): void;
  /** Leaves the wire, and may join another. */
  leave(): void;
  /** Begins, or begins again. `starts`: the positions that were sent. `byCursor`: a cursor was sent. */
  begin(granted: Granted, starts: readonly TopicPosition[], byCursor?: boolean): void;
  /** The topic has a new numbering, or its first publication. */
  reset(frame: ServerKinds['reset']): void;
  /** Its position in the topic of a batch. */
  place(topic: string, batch: Pick<ServerKinds['batch'], 'epoch' | 'after'>): Topic;
  refuse(error: ClientError): void;
  /** Those that hear the publications of an inbox. */
  readonly audience: Audience;
}

/** What else a member keeps if it is a pattern, has keys, or has a start of its own. */
export interface MemberExtras extends FeedExtras<ReceivedPublication> {
  readonly wishes: Map<string, number>;
  /** Undefined: it continues with the others of its wire, from the wire's cursor and its own positions. */
  readonly stage: Stage | undefined;
  /** The gateway is asked for some starts: for that of this member, if it has a turn, or not yet. */
  toTurn(isAsked: boolean): void;
  /** What it was asked for is complete. `isAtEnd`: it was asked for the end, and goes back by its `last`. */
  toLevel(isAtEnd: boolean): void;
  /** Sets the stage. Returns whether it begins at its own start rather than at the other member's position. */
  joins(wireCursor: string | undefined, other: Member | undefined): boolean;
  /**
   * Its start in a topic of another member: that one's position, or `last` N before. `topics`: how many that one has.
   */
  begins(topic: string, at: Topic, topics: number): Topic;
  /** Its position in a topic. If forgotten topics of the namespace had the mode `state`, this one has it too. */
  placed(topic: string, at: Topic): Topic;
  /** Forgets quiet topics of a pattern if there are many: those quiet for longest first, a few at a time. */
  forgetQuiet(): void;
  /** The gateway is asked for these keys: removes the values of others, and awaits those of new ones. */
  wants(keys: ReadonlySet<string>): void;
}

/**
 * needed → asked → live → needed …. `needed`: to be sent. `asked`: the command has no reply yet. `live`: batches may
 * come. `off`: refused, ended or put off; it may be sent again later. Each transition is one function named `to…`.
 */
export type WireState = 'needed' | 'asked' | 'live' | 'off';

/** A subscription on the wire, for the members that share it and the parts that subscribe to it. */
export interface Shared {
  readonly topic: string;
  readonly isPattern: boolean;
  readonly options: SubscribeOptions;
  /** Equal for equal subscriptions. */
  readonly key: string;
  readonly state: WireState;
  /** Between attempts after a refusal that may pass. */
  readonly backoff: { next(): number | undefined };
  /** Its number in the gateway's frames while it is live. */
  view: number;
  readonly members: Set<Member>;
  /** Everything up to here has come for the members that are level, or was named as lost. */
  readonly cursor: string | undefined;
  readonly extras: WireExtras | undefined;
  readonly registry: Registry;
  /** Adds a member. Returns whether the wire has to go back to serve its `since` or `last`. */
  join(member: Member): boolean;
  /** Removes a member, and ends with the last one unless another joins in this turn. */
  leave(member: Member): void;
  /** The members that get what comes, with those that join meanwhile. */
  audience(): Iterable<Member>;
  /** The publications as the application gets them. */
  received(topic: string, publications: readonly Publication[]): readonly ReceivedPublication[];
  /** Everything up to this cursor has come. */
  advance(cursor: string | undefined): void;
  /** The gateway has granted it, or has made it by itself. */
  toLive(result: Granted): void;
  /** The view is gone, with the connection or because the client ended it. Positions stay. */
  toNeeded(): void;
}

/** What else a subscription on the wire does if it is more than one topic from now on. */
export interface WireExtras {
  /** Present if it has the option `keys`. */
  readonly keyed: Keyed | undefined;
  /** A pattern's topics that lack something which `cursor` may count as received. */
  readonly suspects: ReadonlySet<string>;
  /** On this connection the level members have had everything up to the wire's cursor. */
  readonly isLevel: boolean;
  readonly wasLive: boolean;
  /** A member waits whose turn it is, or wants presence. */
  readonly mustAskAgain: boolean;
  /**
   * The gateway has refused the subscription. If the reason is presence, which only some members want, tells those that
   * there is none, asks again without it, and returns true.
   */
  goOnUnwatched(error: ClientError): boolean;
  /** A newcomer to an inbox gets what came without a listener, unless it has a start of its own. */
  welcome(member: Member): void;
  /** Returns the rest of the subscription to send. */
  toAsked(): Omit<WireSubscription, 'topic'>;
  /** Of a pattern: everything that was committed up to here had been when the gateway was asked. */
  readonly askedAfter: string | undefined;
  /** `starts`: the positions that were sent before there were extras. */
  toLive(result: Granted, starts: readonly TopicPosition[]): void;
  /** The topic lacks something. */
  lacks(topic: string): undefined;
  /** Those that this member gets. `map`: its map. */
  shown(
    fresh: readonly ReceivedPublication[],
    member: Member,
    map: Topic['map'] | undefined,
  ): readonly ReceivedPublication[];
  /** All members have got the publications after `before`, up to `offset`. */
  had(before: Position, offset: number): void;
  /** Everything up to the wire's cursor has come. */
  advanced(): void;
}

/** The keys of a subscription on the wire: those wanted, those sent to the gateway, those of the view. */
export interface Keyed {
  readonly asked: ReadonlySet<string> | undefined;
  /** The wanted keys differ from those that were sent. */
  readonly mustRekey: boolean;
  /** A command for other keys has no reply yet. */
  readonly isRekeying: boolean;
  readonly inView: ReadonlySet<string> | undefined;
  /** Returns the keys to send. Nothing of other keys is delivered from now on. */
  toAsked(): readonly string[];
  /** The same for a view that goes on with other keys. */
  toRekeying(): readonly string[];
  /** There is a view of the keys that were sent. */
  toGranted(): void;
  /** Leaves out publications of keys that left, and those older than the value that the member has. */
  shown(fresh: readonly ReceivedPublication[], map?: StateMap): readonly ReceivedPublication[];
  /** A page of a snapshot for this member. A partial one is added to the member's entries. */
  page(
    snapshot: { readonly topic: string; readonly first: boolean; readonly partial?: boolean },
    publications: readonly ReceivedPublication[],
    member: Member,
  ): readonly ReceivedPublication[];
}

/** Subscriptions that are planned to be sent. */
export interface Planned {
  add(wire: Shared, delayMs: number): void;
  has(wire: Shared): boolean;
  delete(wire: Shared): void;
  clear(): void;
}

/** All subscriptions on the wire. */
export interface Registry {
  readonly byKey: Map<string, Shared>;
  /** Another map for each connection. */
  readonly byView: Map<number, Shared>;
  readonly port: {
    /** Abandoned if the gateway does not reply. */
    readonly connection: { abandon(error: ClientError): void };
    /** The positions of this client's publications with `exceptSelf`. */
    readonly own: { has(position: TopicPosition): boolean };
  };
  readonly runtime: Runtime;
  readonly commands: PendingCommands;
  readonly dictionaries: { delete(view: number): unknown };
  readonly isOnline: boolean;
  /** Subscriptions that are sent again later: refused, or not recoverable yet. */
  retries: Planned | undefined;
  /** Present from the first inbox on. */
  acknowledging: Acknowledging | undefined;
  newTimer(): Timer;
  all(): readonly Shared[];
  /** Equal for equal subscriptions. */
  keyOf(topic: string, options: SubscribeOptions): string;
  /** The publications of a batch, inflated; undefined: its compressed body is damaged. */
  expand(batch: ServerKinds['batch']): readonly Publication[] | undefined;
  /** An error that no listener of a subscription hears. */
  report(error: ClientError): void;
  /** Sends those that are needed. */
  flush(): void;
  /** Ends its view and subscribes again, from the positions of its members. */
  askAgain(wire: Shared): void;
  askLater(wire: Shared, delayMs: number): void;
  askFor(wires: readonly Shared[]): void;
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
}
