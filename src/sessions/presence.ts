import type { Fanout } from '../fanout/fanout.ts';
import type { View } from '../fanout/view.ts';
import type { PeerHandlers, Peers } from '../peers.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import type { PresenceMember } from '../protocol/frames.ts';

export interface PresenceOptions {
  readonly fanout: Fanout;
  /** Whether the members of this topic are kept at all. */
  readonly isOn: (topic: string) => boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Absent: this node is alone. */
  readonly peers?: Peers<PresenceCalls> | undefined;
}

/** What nodes tell and ask each other, so that each knows all members. */
export interface PresenceCalls {
  joined(news: readonly [topic: string, member: PresenceMember]): void;
  left(news: readonly [topic: string, session: string]): void;
  /** The members that the asked node has itself. */
  members(nothing: undefined): {
    readonly node: string;
    readonly topics: readonly (readonly [topic: string, members: readonly PresenceMember[]])[];
  };
}

/** A session that joins and leaves. */
export interface Occupant {
  readonly id: string;
  readonly identity: { readonly user?: string };
}

/** A reply lists at most this many members. Its count is exact. */
const maxMembersListed = 1000;
/** In a topic with more members than this, joins and leaves are not announced. */
const maxMembersAnnounced = 1000;

/** A session in a topic, and how many subscriptions to it keep it there. */
interface Presentee extends PresenceMember {
  subscriptions: number;
  /** The node that has it; undefined: this one. */
  readonly node: string | undefined;
}

interface TopicPresence {
  readonly members: Map<string, Presentee>;
  /** Views of the clients that watch, by codec. */
  readonly watchers: Map<string, View>;
}

/**
 * Which sessions are subscribed to which topic by name, on all nodes. Several subscriptions of a session count once.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #topics = new Map<string, TopicPresence>();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  count(topic: string): number {
    return this.#topics.get(topic)?.members.size ?? 0;
  }

  list(topic: string): PresenceMember[] {
    const members: PresenceMember[] = [];
    for (const member of this.#topics.get(topic)?.members.values() ?? []) {
      if (members.push(publicPart(member)) === maxMembersListed) break;
    }
    return members;
  }

  joined({ id, identity }: Occupant, topic: string): void {
    if (!this.#options.isOn(topic)) return;
    const { members } = this.#of(topic);
    const known = members.get(id);
    if (known !== undefined) {
      known.subscriptions++;
      return;
    }
    const sinceMs = this.#options.nowMs();
    const member = { session: id, user: identity.user, sinceMs, subscriptions: 1, node: undefined };
    members.set(id, member);
    this.#announce(topic, 'joined', member);
    this.#options.peers?.tell('joined', [topic, publicPart(member)]);
  }

  left({ id }: Occupant, topic: string): void {
    const presence = this.#topics.get(topic);
    const known = presence?.members.get(id);
    if (presence === undefined || known === undefined || --known.subscriptions > 0) return;
    this.#remove(topic, presence, known);
    this.#options.peers?.tell('left', [topic, id]);
  }

  /** What this node does when others tell or ask it. `node`: its own name. */
  peerHandlers(node: string): PeerHandlers<PresenceCalls> {
    return {
      joined: ([topic, member], from) => this.#joinedAt(from, topic, member),
      left: ([topic, session], from) => {
        const presence = this.#topics.get(topic);
        const known = presence?.members.get(session);
        if (presence !== undefined && known?.node === from) this.#remove(topic, presence, known);
      },
      members: () => ({ node, topics: [...this.#own()] }),
    };
  }

  /** Learns the members of the other nodes. Call it once, when they are to know of those that join here. */
  async learn(): Promise<void> {
    for (const { node, topics } of (await this.#options.peers?.ask('members', undefined)) ?? [])
      for (const [topic, members] of topics)
        for (const member of members) this.#joinedAt(node, topic, member);
  }

  /** Another node has ended, and its sessions with it; or a machine, whose nodes are called `MACHINE/…`. */
  peerGone(node: string): void {
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
    this.#of(topic).watchers.set(codec.name, view);
    return view;
  }

  /** A watcher has detached from the view. */
  unwatched(topic: string, view: View): void {
    const presence = this.#topics.get(topic);
    if (presence === undefined || view.subscriptions > 0) return;
    presence.watchers.delete(view.options.codec.name);
    this.#tidy(topic, presence);
  }

  #joinedAt(node: string, topic: string, member: PresenceMember): void {
    const { members } = this.#of(topic);
    if (members.has(member.session)) return;
    members.set(member.session, { ...member, subscriptions: 1, node });
    this.#announce(topic, 'joined', member);
  }

  *#own(): Iterable<readonly [topic: string, members: readonly PresenceMember[]]> {
    for (const [topic, { members }] of this.#topics) {
      const own = [...members.values()].filter(({ node }) => node === undefined);
      if (own.length > 0) yield [topic, own.map(publicPart)];
    }
  }

  #remove(topic: string, presence: TopicPresence, member: Presentee): void {
    presence.members.delete(member.session);
    this.#announce(topic, 'left', member);
    this.#tidy(topic, presence);
  }

  #announce(topic: string, kind: 'joined' | 'left', member: PresenceMember): void {
    const { members, watchers } = this.#of(topic);
    if (members.size > maxMembersAnnounced) return;
    for (const view of watchers.values())
      this.#options.fanout.announce(view, { kind, id: 0, topic, member: publicPart(member) });
  }

  #of(topic: string): TopicPresence {
    let presence = this.#topics.get(topic);
    if (presence === undefined) {
      presence = { members: new Map(), watchers: new Map() };
      this.#topics.set(topic, presence);
    }
    return presence;
  }

  #tidy(topic: string, { members, watchers }: TopicPresence): void {
    if (members.size === 0 && watchers.size === 0) this.#topics.delete(topic);
  }
}

function publicPart({ session, user, sinceMs }: PresenceMember): PresenceMember {
  return { session, user, sinceMs };
}
