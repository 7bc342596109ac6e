'use client';

/** React hooks and components on a client. */

export { ConnectionStatus } from './connection-status.tsx';
export { SluiceProvider, type SluiceProviderProps, useClient } from './context.tsx';
export { type Connection, useConnection, useLatest, useTopic, useTopicState } from './hooks.ts';
export { type Job, type JobView, useJob } from './job.ts';
export {
  type PresenceView,
  type StateMaps,
  usePresence,
  useRecent,
  useTopics,
} from './lists.ts';
export type { HookOptions, TopicView } from './topic-store.ts';
export { type TypedHooks, typedHooks } from './typed-hooks.ts';
