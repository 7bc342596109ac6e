/** The SDK: a client for browsers and Node. */

export type {
  Filter,
  Limits,
  OffsetRange,
  Position,
  PresenceMember,
  TopicPosition,
} from '../protocol/frames.ts';
export { type Client, type HistoryPage, SluiceClient } from './client.ts';
export { ClientError, type LocalErrorCode } from './client-error.ts';
export type { ClosedBy } from './connection/close-code.ts';
export type { ConnectionState, StateChange } from './connection/connection.ts';
export type { Greeting } from './connection/socket-session.ts';
export type { ClientEvents } from './events.ts';
export type { Published } from './offline-queue.ts';
export type { ClientOptions, Transport } from './options.ts';
export type { PublishOptions, ReceivedPublication } from './publication.ts';
export { publications } from './publications.ts';
export type { Runtime, WebSocketClass } from './runtime.ts';
export type { ClientStats, ClientStatus } from './status.ts';
export type { SubscribeOptions } from './subscriptions/subscribe-options.ts';
export type {
  Gap,
  PublicationListener,
  PublicationMeta,
  StateMap,
  Subscription,
  SubscriptionEvents,
  SubscriptionState,
} from './subscriptions/subscription.ts';
export { type TypedClient, typed } from './typed.ts';
