import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { PublicationListener, ReceivedPublication, StateChange, StateMap } from '../index.ts';
import { useClient } from './context.tsx';
import { type Follow, type HookOptions, TopicStore, type TopicView } from './topic-store.ts';
import { whyOf } from './why.ts';

export const noOptions: HookOptions = {};
const noEntries: StateMap<never> = new Map();

/**
 * A subscription that lasts as long as the component uses this topic with equal options. A change of `keys` does not
 * subscribe again. With an empty list of keys nothing is subscribed.
 */
export function useTopicStore<T, V>(
  topic: string | null | undefined,
  options: HookOptions,
  initial: V,
  follow: Follow<T, V>,
): TopicStore<T, V> {
  const client = useClient();
  // The options may be a new object at each render; equal ones mean the same subscription.
  const { keys, ...rest } = options;
  const key = JSON.stringify([rest, keys && keys.length > 0]);
  const wanted = keys?.length === 0 ? undefined : (topic ?? undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the options; the rest never changes.
  const store = useMemo(
    () => new TopicStore(client, { topic: wanted, options }, initial, follow),
    [client, wanted, key],
  );
  const keysKey = JSON.stringify(keys);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `keysKey` stands for the keys.
  useEffect(() => {
    if (keys?.length) store.setKeys(keys);
  }, [store, keysKey]);
  return store;
}

export function useView<T, V>(store: TopicStore<T, V>): TopicView<T, V> {
  return useSyncExternalStore(store.subscribe, store.view, store.initial);
}

/**
 * Subscribes to a topic or pattern while the component is mounted; `undefined` or null: to nothing. The listener gets
 * each publication, causes no render by itself, and may be another function at each render.
 */
export function useTopic<T = unknown>(
  topic: string | null | undefined,
  listener?: PublicationListener<T>,
  options: HookOptions = noOptions,
): Omit<TopicView<T, unknown>, 'value'> {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  const store = useTopicStore<T, undefined>(topic, options, undefined, (subscription) => {
    subscription.on('publication', (...args) => void latest.current?.(...args));
    return undefined;
  });
  const { state, error, hasGap, subscription } = useView(store);
  return { state, error, hasGap, subscription };
}

/** The newest publication of a topic or pattern; undefined before the first. */
export function useLatest<T = unknown>(
  topic: string | null | undefined,
  options: HookOptions = latestOptions,
): ReceivedPublication<T> | undefined {
  const store = useTopicStore<T, ReceivedPublication<T> | undefined>(topic, options, undefined, followLatest);
  return useView(store).value;
}

const latestOptions: HookOptions = { last: 1 };

function followLatest<T>(
  ...[subscription, set]: Parameters<Follow<T, ReceivedPublication<T> | undefined>>
): ReceivedPublication<T> | undefined {
  subscription.on('publication', set);
  subscription.on('snapshot', (entries) => {
    set([...entries.values()].reduce<ReceivedPublication<T> | undefined>(newer, undefined));
  });
  return undefined;
}

function newer<T>(a: ReceivedPublication<T> | undefined, b: ReceivedPublication<T>): ReceivedPublication<T> {
  return a !== undefined && a.offset > b.offset ? a : b;
}

/**
 * Selects a part of a state topic from its newest publications by key. Renders only when the part changes by `isEqual`.
 * The selector should depend on the entries alone. It may be another function at each render.
 */
export function useTopicState<T = unknown, S = StateMap<T>>(
  topic: string | null | undefined,
  selector: (entries: StateMap<T>) => S,
  isEqual: (a: S, b: S) => boolean = Object.is,
  options: HookOptions = noOptions,
): S {
  if (topic?.endsWith('*')) throw new TypeError(`${topic} is a pattern: useTopics selects from its topics.`);
  const store = useTopicStore<T, StateMap<T>>(topic, options, noEntries, followMap);
  return useSelection(store, selector, isEqual);
}

/** Selects a part of the store's value, and returns the same object as long as the part is equal. */
export function useSelection<T, V, S>(
  store: TopicStore<T, V>,
  selector: (value: V) => S,
  isEqual: (a: S, b: S) => boolean,
): S {
  const selected = useRef<{ readonly value: V; readonly selector: unknown; readonly part: S }>(undefined);
  const select = (value: V): S => {
    const former = selected.current;
    if (former?.value === value && former.selector === selector) return former.part;
    const part = selector(value);
    const kept = former !== undefined && isEqual(former.part, part) ? former.part : part;
    selected.current = { value, selector, part: kept };
    return kept;
  };
  return useSyncExternalStore(
    store.subscribe,
    () => select(store.view().value),
    () => select(store.initial().value),
  );
}

function followMap<T>(...[subscription, set]: Parameters<Follow<T, StateMap<T>>>): StateMap<T> {
  subscription.on('map', set);
  return subscription.current();
}

export interface Connection extends Omit<StateChange, 'previous'> {
  /** In words for people: why it is `reconnecting` or `closed`, as `the server does not respond`. */
  readonly why: string | undefined;
  /** Tries at once, while the client waits to reconnect or is closed. */
  retry(): void;
}

const idle: StateChange = { state: 'idle', previous: 'idle', attempts: 0 };

/** The state of the connection. */
export function useConnection(): Connection {
  const client = useClient();
  const store = useMemo(() => {
    let change = idle;
    const read = (): StateChange => {
      const status = client?.getStatus();
      if (status === undefined) return idle;
      const isKnown =
        change.state === status.state &&
        change.retryAtMs === status.retryAtMs &&
        change.error?.message === status.error?.message;
      if (!isKnown) change = { ...status, previous: change.state };
      return change;
    };
    return { subscribe: (notify: () => void) => client?.on('state', notify) ?? (() => undefined), read };
  }, [client]);
  const { state, retryAtMs, attempts, error, reason } = useSyncExternalStore(
    store.subscribe,
    store.read,
    () => idle,
  );
  const retry = useMemo(() => () => void client?.connect().catch(() => undefined), [client]);
  return { state, retryAtMs, attempts, error, reason, why: error && whyOf(error), retry };
}
