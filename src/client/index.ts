/** The SDK: a client for browsers and Node. */

export type { Filter, Member, OffsetRange, Position, TopicPosition } from '../protocol/frames.ts';
export type { Greeting } from './attempt.ts';
export { SluiceClient } from './client.ts';
export { ClientError, type LocalErrorCode } from './client-error.ts';
export type {
  ClientEvents,
  ClientStats,
  ClientStatus,
  HistoryPage,
  PublishOptions,
} from './client-types.ts';
export type { ClosedBy } from './closing.ts';
export type { ConnectionState, StateChange } from './connection.ts';
export type { Published } from './offline-queue.ts';
export type { ClientOptions } from './options.ts';
export type { ReceivedPublication } from './received.ts';
export type { Runtime, WebSocketClass } from './runtime.ts';
export type { SubscribeOptions } from './subscribe-options.ts';
export type {
  Gap,
  PublicationListener,
  PublicationMeta,
  StateMap,
  Subscription,
  SubscriptionEvents,
  SubscriptionState,
} from './subscription.ts';
