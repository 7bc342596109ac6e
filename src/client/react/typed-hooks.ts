import type { PublicationListener, ReceivedPublication, StateMap } from '../index.ts';
import { useLatest, useTopic, useTopicState } from './hooks.ts';
import { type StateMaps, useRecent, useTopics } from './lists.ts';
import type { HookOptions } from './topic-store.ts';

type TopicOf<Topics> = Extract<keyof Topics, string>;

/** The hooks that take a topic, for topics that have types: `{ chat: Line; [job: `job:${string}`]: Job }`. */
export interface TypedHooks<Topics> {
  useTopic<K extends TopicOf<Topics>>(
    topic: K | null | undefined,
    listener?: PublicationListener<Topics[K]>,
    options?: HookOptions,
  ): ReturnType<typeof useTopic<Topics[K]>>;
  useLatest<K extends TopicOf<Topics>>(
    topic: K | null | undefined,
    options?: HookOptions,
  ): ReceivedPublication<Topics[K]> | undefined;
  useRecent<K extends TopicOf<Topics>>(
    topic: K | null | undefined,
    count: number,
    options?: HookOptions,
  ): readonly ReceivedPublication<Topics[K]>[];
  useTopicState<K extends TopicOf<Topics>, S>(
    topic: K | null | undefined,
    selector: (entries: StateMap<Topics[K]>) => S,
    isEqual?: (a: S, b: S) => boolean,
    options?: HookOptions,
  ): S;
  useTopics<K extends TopicOf<Topics>, S>(
    pattern: K | null | undefined,
    selector: (topics: StateMaps<Topics[K]>) => S,
    isEqual?: (a: S, b: S) => boolean,
    options?: HookOptions,
  ): S;
}

const hooks = { useTopic, useLatest, useRecent, useTopicState, useTopics };

/** The same hooks, with the types of these topics. Nothing is checked at run time. */
export function typedHooks<Topics>(): TypedHooks<Topics> {
  return hooks as TypedHooks<Topics>;
}
