import type { Fanout } from '../fanout/fanout.ts';
import type { View } from '../fanout/view.ts';
import type { Codec } from '../protocol/codec.ts';
import type { Member } from '../protocol/frames.ts';

export interface PresenceOptions {
  readonly fanout: Fanout;
  /** Whether the members of this topic are kept at all. */
  readonly isOn: (topic: string) => boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** Who joins and leaves: a session. */
export interface Occupant {
  readonly id: string;
  readonly identity: { readonly user?: string };
}

/** Members that are named in one answer; the count is always exact. */
const presenceMaxMembers = 1000;
/** In a topic with more members than this, nobody is told of each one that comes and goes. */
const presenceMaxAnnounced = 1000;

/** A session in a topic, and how many subscriptions to it keep it there. */
interface Presentee extends Member {
  subscriptions: number;
}

interface Room {
  readonly members: Map<string, Presentee>;
  /** Those who watch, by codec. */
  readonly watchers: Map<Codec['name'], View>;
}

/** Who is subscribed to which topic by its name, on this node. Sessions with several subscriptions to it count once. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #rooms = new Map<string, Room>();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  count(topic: string): number {
    return this.#rooms.get(topic)?.members.size ?? 0;
  }

  list(topic: string): Member[] {
    const members: Member[] = [];
    for (const member of this.#rooms.get(topic)?.members.values() ?? []) {
      if (members.push(publicPart(member)) === presenceMaxMembers) break;
    }
    return members;
  }

  joined({ id, identity }: Occupant, topic: string): void {
    if (!this.#options.isOn(topic)) return;
    const { members } = this.#room(topic);
    const known = members.get(id);
    if (known !== undefined) {
      known.subscriptions++;
      return;
    }
    const member = { session: id, user: identity.user, sinceMs: this.#options.nowMs(), subscriptions: 1 };
    members.set(id, member);
    this.#announce(topic, 'joined', member);
  }

  left({ id }: Occupant, topic: string): void {
    const room = this.#rooms.get(topic);
    const known = room?.members.get(id);
    if (room === undefined || known === undefined || --known.subscriptions > 0) return;
    room.members.delete(id);
    this.#announce(topic, 'left', known);
    this.#tidy(topic, room);
  }

  /** The view whose members are told who joins and leaves. To be detached by `unwatch`. */
  watch(topic: string, codec: Codec): View {
    const view = this.#options.fanout.attach({
      target: `$presence/${topic}`,
      codec,
      filter: undefined,
      intervalMs: 0,
      conflate: false,
      dictionaries: false,
    });
    this.#room(topic).watchers.set(codec.name, view);
    return view;
  }

  /** The view has one watcher less. */
  unwatched(topic: string, view: View): void {
    const room = this.#rooms.get(topic);
    if (room === undefined || view.subscriptions > 0) return;
    room.watchers.delete(view.options.codec.name);
    this.#tidy(topic, room);
  }

  #announce(topic: string, kind: 'joined' | 'left', member: Member): void {
    const { members, watchers } = this.#room(topic);
    if (members.size > presenceMaxAnnounced) return;
    for (const view of watchers.values())
      this.#options.fanout.announce(view, { kind, id: 0, topic, member: publicPart(member) });
  }

  #room(topic: string): Room {
    let room = this.#rooms.get(topic);
    if (room === undefined) {
      room = { members: new Map(), watchers: new Map() };
      this.#rooms.set(topic, room);
    }
    return room;
  }

  #tidy(topic: string, { members, watchers }: Room): void {
    if (members.size === 0 && watchers.size === 0) this.#rooms.delete(topic);
  }
}

function publicPart({ session, user, sinceMs }: Member): Member {
  return { session, user, sinceMs };
}
