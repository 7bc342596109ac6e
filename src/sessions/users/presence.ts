import type { Fanout } from '../../fanout/fanout.ts';
import type { View } from '../../fanout/view.ts';
import type { Metrics } from '../../metrics.ts';
import type { NodeHandlers, OtherNodes } from '../../other-nodes.ts';
import type { GatewayCodec } from '../../protocol/codec.ts';
import type { PresenceMember } from '../../protocol/frames.ts';
import type { Payer } from '../../topics/payer.ts';
import type { HeldBytes } from '../limits/charges.ts';

export interface PresenceOptions {
  readonly fanout: Fanout;
  /** Whether the members of this topic are kept at all. */
  readonly isOn: (topic: string) => boolean;
  /** What members take, of all topics. */
  readonly held: HeldBytes;
  readonly metrics: Pick<Metrics, 'presenceBytes' | 'presenceUnlistedTotal' | 'onScrape'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Absent: this node is alone. */
  readonly otherNodes?: OtherNodes<PresenceCalls> | undefined;
}

/** What nodes tell and ask each other, so that each knows all members. */
export interface PresenceCalls {
  joined(news: readonly [topic: string, member: PresenceMember]): void;
  left(news: readonly [topic: string, session: string]): void;
  /** All members that the node has itself. In order with those that join and leave, which a reply may not be. */
  present(topics: readonly TopicMembers[]): void;
  /**
   * Nodes of an earlier version reply with the members that they have themselves, and so does this one where `how` is
   * absent, as they ask. To `told` it tells them by `present` instead.
   */
  members(how: 'told' | undefined): {
    readonly node: string;
    readonly topics: readonly TopicMembers[];
  };
}

type TopicMembers = readonly [topic: string, members: readonly PresenceMember[]];

/** A session that joins and leaves. */
export interface Occupant {
  readonly id: string;
  readonly identity: { readonly user?: string };
  readonly payer: Payer;
}

/**
 * What a member is charged, its topic included, besides the names: somewhat more than it takes where it is alone there.
 */
export const memberBytes = 512;
/** A reply lists at most this many members. Its count is that of all that found room. */
const membersListedMax = 1000;
/** In a topic with more members than this, joins and leaves are not announced. */
const membersAnnouncedMax = 1000;

/** A session in a topic. */
interface LocatedMember extends PresenceMember {
  /** The node that has it; undefined: this one. */
  readonly node: string | undefined;
  /** Who is charged for it; undefined: it is another node's. */
  readonly account: string | undefined;
}

interface TopicPresence {
  readonly members: Map<string, LocatedMember>;
  /** Views of the clients that watch, by codec; undefined while there are none. */
  watchers: Map<string, View> | undefined;
}

/**
 * Which sessions are subscribed to which topic by name, on all nodes. What members take is charged to the payers of
 * their sessions. A member that finds no room is not known here: it is neither counted nor listed nor announced, and
 * subscribed like any other.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #topics = new Map<string, TopicPresence>();

  constructor(options: PresenceOptions) {
    this.#options = options;
    const { metrics, held } = options;
    metrics.onScrape(() => metrics.presenceBytes.set(held.total));
  }

  count(topic: string): number {
    return this.#topics.get(topic)?.members.size ?? 0;
  }

  list(topic: string): PresenceMember[] {
    const members: PresenceMember[] = [];
    for (const member of this.#topics.get(topic)?.members.values() ?? []) {
      if (members.push(publicPart(member)) === membersListedMax) break;
    }
    return members;
  }

  /** Call it for the first of its subscriptions to the topic. */
  joined({ id, identity, payer }: Occupant, topic: string): void {
    const { isOn, held, metrics, nowMs, otherNodes } = this.#options;
    if (!isOn(topic)) return;
    const { account } = payer;
    const member = { session: id, user: identity.user, sinceMs: nowMs(), node: undefined, account };
    if (!held.take(account, bytesOf(topic, member))) {
      metrics.presenceUnlistedTotal.inc();
      return;
    }
    this.#of(topic).members.set(id, member);
    this.#announce(topic, 'joined', member);
    otherNodes?.tell('joined', [topic, publicPart(member)]);
  }

  /** Call it when the last of its subscriptions to the topic has ended. */
  left({ id }: Pick<Occupant, 'id'>, topic: string): void {
    const presence = this.#topics.get(topic);
    const member = presence?.members.get(id);
    if (presence === undefined || member === undefined) return;
    this.#remove(topic, presence, member);
    this.#options.otherNodes?.tell('left', [topic, id]);
  }

  /** What this node does when others tell or ask it. `node`: its own name. */
  nodeHandlers(node: string): NodeHandlers<PresenceCalls> {
    return {
      joined: ([topic, member], from) => this.#joinedAt(from, topic, member),
      left: ([topic, session], from) => {
        const presence = this.#topics.get(topic);
        const member = presence?.members.get(session);
        if (presence !== undefined && member?.node === from) this.#remove(topic, presence, member);
      },
      present: (topics, from) => this.#presentAt(from, topics),
      members: (how) => {
        if (how === 'told') this.#tellOwn();
        return { node, topics: how === undefined ? [...this.#own()] : [] };
      },
    };
  }

  /**
   * Other nodes came. They may not do the same: one that was away from the engine for a moment has not noticed that
   * others took it for gone.
   */
  nodesCame(): Promise<void> {
    this.#tellOwn();
    return this.learn();
  }

  /** Learns the members of the other nodes, of which some do not notice that this one has come. */
  async learn(): Promise<void> {
    for (const { node, topics } of (await this.#options.otherNodes?.ask('members', 'told')) ?? [])
      this.#joinedAllAt(node, topics);
  }

  /** Another node has ended, and its sessions with it; or a machine, whose nodes are called `MACHINE/…`. */
  nodeGone(node: string): void {
    for (const [topic, presence] of this.#topics)
      for (const member of presence.members.values())
        if (member.node === node || member.node?.startsWith(`${node}/`) === true)
          this.#remove(topic, presence, member);
  }

  /** The view whose members are told who joins and leaves. The caller detaches it, and then calls `unwatched`. */
  watch(topic: string, codec: GatewayCodec): View {
    const view = this.#options.fanout.attach({
      target: `$presence/${topic}`,
      codec,
      filter: undefined,
      intervalMs: 0,
      conflate: false,
      dictionaries: false,
    });
    const presence = this.#of(topic);
    presence.watchers ??= new Map();
    presence.watchers.set(codec.name, view);
    return view;
  }

  /** A watcher has detached from the view. */
  unwatched(topic: string, view: View): void {
    const presence = this.#topics.get(topic);
    if (presence === undefined || view.subscriptions > 0) return;
    presence.watchers?.delete(view.options.codec.name);
    if (presence.watchers?.size === 0) presence.watchers = undefined;
    this.#tidy(topic, presence);
  }

  #tellOwn(): void {
    this.#options.otherNodes?.tell('present', [...this.#own()]);
  }

  /** The node has these members, and no others. */
  #presentAt(node: string, topics: readonly TopicMembers[]): void {
    const present = new Set(topics.flatMap(([topic, members]) => members.map((each) => keyOf(topic, each))));
    for (const [topic, presence] of this.#topics)
      for (const member of presence.members.values())
        if (member.node === node && !present.has(keyOf(topic, member))) this.#remove(topic, presence, member);
    this.#joinedAllAt(node, topics);
  }

  #joinedAllAt(node: string, topics: readonly TopicMembers[]): void {
    for (const [topic, members] of topics) for (const member of members) this.#joinedAt(node, topic, member);
  }

  #joinedAt(node: string, topic: string, member: PresenceMember): void {
    if (this.#topics.get(topic)?.members.has(member.session) === true) return;
    if (!this.#options.held.takeForNone(bytesOf(topic, member))) {
      this.#options.metrics.presenceUnlistedTotal.inc();
      return;
    }
    this.#of(topic).members.set(member.session, { ...member, node, account: undefined });
    this.#announce(topic, 'joined', member);
  }

  *#own(): Iterable<TopicMembers> {
    for (const [topic, { members }] of this.#topics) {
      const own = [...members.values()].filter(({ node }) => node === undefined);
      if (own.length > 0) yield [topic, own.map(publicPart)];
    }
  }

  #remove(topic: string, presence: TopicPresence, member: LocatedMember): void {
    presence.members.delete(member.session);
    const bytes = bytesOf(topic, member);
    if (member.account === undefined) this.#options.held.giveForNone(bytes);
    else this.#options.held.give(member.account, bytes);
    this.#announce(topic, 'left', member);
    this.#tidy(topic, presence);
  }

  #announce(topic: string, kind: 'joined' | 'left', member: PresenceMember): void {
    const { members, watchers } = this.#of(topic);
    if (watchers === undefined || members.size > membersAnnouncedMax) return;
    for (const view of watchers.values())
      this.#options.fanout.announce(view, { kind, id: 0, topic, member: publicPart(member) });
  }

  #of(topic: string): TopicPresence {
    let presence = this.#topics.get(topic);
    if (presence === undefined) {
      presence = { members: new Map(), watchers: undefined };
      this.#topics.set(topic, presence);
    }
    return presence;
  }

  #tidy(topic: string, { members, watchers }: TopicPresence): void {
    if (members.size === 0 && watchers === undefined) this.#topics.delete(topic);
  }
}

/** Texts of one byte a character, as most names are, take no more; a fixed charge covers the others. */
function bytesOf(topic: string, { user = '' }: PresenceMember): number {
  return memberBytes + topic.length + user.length;
}

function keyOf(topic: string, { session }: PresenceMember): string {
  return `${session} ${topic}`;
}

function publicPart({ session, user, sinceMs }: PresenceMember): PresenceMember {
  return { session, user, sinceMs };
}
