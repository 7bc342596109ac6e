import type { Awaitable } from '../awaitable.ts';
import type { NodeHandlers, OtherNodes } from '../other-nodes.ts';
import type { Ack } from '../protocol/frames.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { ConnectionInfo, SessionDirectory } from './ports.ts';
import { pageSubscriptionsMax } from './schemas.ts';

type Query = Parameters<SessionDirectory['list']>[0];
type Page = Awaited<ReturnType<SessionDirectory['list']>>;

/** What nodes ask each other about their sessions. */
export interface DirectoryCalls {
  connectionCount(nothing: undefined): number;
  connections(query: Query): Page;
  connectionsOf(
    asked: readonly [user: string, topic: string | undefined, except: string | undefined],
  ): number;
  disconnect(session: string): boolean;
  acknowledge(
    said: readonly [session: string, acks: readonly Ack[], user?: string | undefined],
  ): number | undefined;
}

/** What this node replies when others ask it. */
export function directoryHandlers(own: SessionDirectory): NodeHandlers<DirectoryCalls> {
  return {
    connectionCount: async () => own.count(),
    connections: async (query) => own.list(query),
    connectionsOf: async ([user, topic, except]) => own.countOf(user, topic, except),
    disconnect: async (session) => own.disconnect(session),
    acknowledge: async ([session, acks, user]) => own.acknowledge(session, acks, user),
  };
}

/** The sessions of this node and all others. */
export function sharedDirectory(
  own: SessionDirectory,
  otherNodes: OtherNodes<DirectoryCalls>,
): SessionDirectory {
  const sum = async (mine: Awaitable<number>, others: Promise<readonly number[]>) =>
    (await others).reduce((all, count) => all + count, await mine);
  return {
    count: () => sum(own.count(), otherNodes.ask('connectionCount', undefined)),
    countOf: (user, topic, except) =>
      sum(own.countOf(user, topic, except), otherNodes.ask('connectionsOf', [user, topic, except])),
    async list(query) {
      const pages = [await own.list(query), ...(await otherNodes.ask('connections', query))];
      // A node may have more sessions after the end of its page.
      const [end] = pages.flatMap(({ next }) => next ?? []).sort();
      const all = pages.flatMap(({ connections }) =>
        connections.filter(({ id }) => end === undefined || id <= end),
      );
      const { page, next } = pageOf(all, query.limit, ({ subscriptions }) => subscriptions.length);
      return { connections: page, next: next ?? end };
    },
    disconnect: async (id) =>
      (await own.disconnect(id)) || (await otherNodes.ask('disconnect', id)).includes(true),
    acknowledge: async (id, acks, user) =>
      (await own.acknowledge(id, acks, user)) ??
      (await otherNodes.ask('acknowledge', [id, acks, user])).find((waitMs) => typeof waitMs === 'number'),
  };
}

/** The sessions of this node, for HTTP. */
export function sessionDirectory(
  sessions: Pick<Sessions, 'count' | 'get' | 'all' | 'users' | 'acknowledge'>,
): SessionDirectory {
  return {
    count: () => sessions.count,

    list({ topic, user, lagging, after, limit }) {
      const matches: Session[] = [];
      for (const session of user === undefined ? sessions.all() : sessions.users.of(user)) {
        if (session.id <= after) continue;
        if (lagging !== undefined && !session.views.isLagging) continue;
        if (topic !== undefined && !isSubscribed(session, topic)) continue;
        matches.push(session);
      }
      const { page, next } = pageOf(matches, limit, ({ views }) => views.size);
      return { connections: page.map(info), next };
    },

    countOf(user, topic, except) {
      let count = 0;
      for (const session of sessions.users.of(user)) {
        if (session.id !== except && (topic === undefined || isSubscribed(session, topic))) count++;
      }
      return count;
    },

    disconnect(id) {
      const session = sessions.get(id);
      if (session === undefined) return false;
      session.goAway('disconnected');
      return true;
    },

    acknowledge: (id, acks, user) => sessions.acknowledge(id, acks, user),
  };
}

/** The first of these by id: at least one, if there is any. */
function pageOf<T extends { readonly id: string }>(
  found: T[],
  limit: number,
  subscriptionsOf: (each: T) => number,
): { readonly page: readonly T[]; readonly next: string | undefined } {
  found.sort((a, b) => (a.id < b.id ? -1 : 1));
  const page: T[] = [];
  let subscriptions = 0;
  for (const each of found) {
    subscriptions += subscriptionsOf(each);
    if (page.length === limit || (page.length > 0 && subscriptions > pageSubscriptionsMax)) break;
    page.push(each);
  }
  return { page, next: page.length < found.length ? page.at(-1)?.id : undefined };
}

function isSubscribed(session: Session, topic: string): boolean {
  for (const { target } of session.views.values()) if (target === topic) return true;
  return false;
}

function info(session: Session): ConnectionInfo {
  return {
    id: session.id,
    user: session.identity.user,
    client: session.introduction?.client,
    transport: session.transport,
    codec: session.codec.name,
    address: session.peer.address,
    connectedAtMs: session.connectedAtMs,
    lastSeenAtMs: session.lastSeenAtMs,
    messageCount: session.messageCount,
    lagging: session.views.isLagging || undefined,
    unsentBytes: session.unsentBytes || undefined,
    subscriptions: [...session.views.values()].map(({ view, target }) => ({ topic: target, view: view.id })),
  };
}
