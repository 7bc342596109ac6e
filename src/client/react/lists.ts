import type { ClientError, PresenceMember, ReceivedPublication, StateMap, Subscription } from '../index.ts';
import { useClient } from './context.tsx';
import { noOptions, useSelection, useTopicStore, useView } from './hooks.ts';
import type { Follow, HookOptions } from './topic-store.ts';

const nothing: readonly never[] = [];

/**
 * The newest publications of a topic, at most `count`, the oldest first: the points of a chart, the lines of a chat.
 * Begins with those in the topic's history.
 */
export function useRecent<T = unknown>(
  topic: string | null | undefined,
  count: number,
  options: HookOptions = noOptions,
): readonly ReceivedPublication<T>[] {
  const wanted = { last: count, ...options };
  const store = useTopicStore<T, readonly ReceivedPublication<T>[]>(
    topic,
    wanted,
    nothing,
    (...[of, set]) => {
      let recent: readonly ReceivedPublication<T>[] = nothing;
      of.on('publication', (publication) => {
        recent = [...recent, publication];
        recent = recent.slice(Math.max(0, recent.length - count));
        set(recent);
      });
      return recent;
    },
  );
  return useView(store).value;
}

/** The entries of a pattern's state topics, by topic. Topics without entries are left out. */
export type StateMaps<T = unknown> = ReadonlyMap<string, StateMap<T>>;

const noTopics: StateMaps<never> = new Map();

/** Selects a part of a pattern's state topics (`job:*`), as `useTopicState` does of a single one. */
export function useTopics<T = unknown, S = StateMaps<T>>(
  pattern: string | null | undefined,
  selector: (topics: StateMaps<T>) => S,
  isEqual: (a: S, b: S) => boolean = Object.is,
  options: HookOptions = noOptions,
): S {
  const store = useTopicStore<T, StateMaps<T>>(pattern, options, noTopics, followTopics);
  return useSelection(store, selector, isEqual);
}

function followTopics<T>(...[subscription, set]: Parameters<Follow<T, StateMaps<T>>>): StateMaps<T> {
  const topics = new Map<string, StateMap<T>>();
  const put = (entries: StateMap<T>, topic: string): void => {
    if (entries.size > 0) topics.set(topic, entries);
    else topics.delete(topic);
  };
  let isTelling = false;
  subscription.on('map', (entries, topic) => {
    put(entries, topic);
    if (isTelling) return;
    isTelling = true;
    // One frame may change many topics.
    queueMicrotask(() => {
      isTelling = false;
      if (subscription.state !== 'closed') set(new Map(topics));
    });
  });
  for (const { topic } of subscription.positions) put(subscription.current(topic), topic);
  return new Map(topics);
}

export interface PresenceView {
  /** Sessions that are subscribed to the topic, this one included. */
  readonly members: readonly PresenceMember[];
  /** Why the members are not known. */
  readonly error: ClientError | undefined;
}

const withPresence: HookOptions = { presence: true };
const noMembers: PresenceView = { members: nothing, error: undefined };

/** The sessions that are subscribed to a topic now. Only by WebSocket: over HTTP there is no presence. */
export function usePresence(topic: string | null | undefined): PresenceView {
  const client = useClient();
  const store = useTopicStore<unknown, PresenceView>(topic, withPresence, noMembers, (...[of, set]) => {
    if (client !== undefined) followPresence(of, () => client.presence(of.topic), set);
    return noMembers;
  });
  const { value, error } = useView(store);
  return error === undefined ? value : { ...value, error };
}

function followPresence(
  subscription: Subscription,
  ask: () => Promise<{ readonly members: readonly PresenceMember[] }>,
  set: (view: PresenceView) => void,
): void {
  const members = new Map<string, PresenceMember>();
  /** While a request is under way: what has changed since it was sent. Undefined: the member has left. */
  let changes: Map<string, PresenceMember | undefined> | undefined;
  const show = (error?: ClientError): void => set({ members: [...members.values()], error });
  const put = (session: string, member: PresenceMember | undefined): void => {
    if (member === undefined) members.delete(session);
    else members.set(session, member);
  };
  const askAll = async (): Promise<void> => {
    const since = new Map<string, PresenceMember | undefined>();
    changes = since;
    const isCurrent = (): boolean => changes === since && subscription.state !== 'closed';
    try {
      const all = await ask();
      if (!isCurrent()) return;
      members.clear();
      for (const member of all.members) members.set(member.session, member);
      // The reply may be older than these changes. A request for each change would flood the gateway.
      for (const [session, member] of since) put(session, member);
      show();
    } catch (error) {
      if (isCurrent()) show(error as ClientError);
    } finally {
      if (changes === since) changes = undefined;
    }
  };
  const changed = (session: string, member: PresenceMember | undefined): void => {
    changes?.set(session, member);
    put(session, member);
    show();
  };
  const follow = (): void => {
    if (subscription.state === 'live') void askAll();
  };
  subscription.on('state', follow);
  subscription.on('caughtUp', follow);
  subscription.on('joined', (member) => changed(member.session, member));
  subscription.on('left', ({ session }) => changed(session, undefined));
  follow();
}
