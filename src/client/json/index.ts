/** A small SDK, which speaks JSON: see `JsonClient` for what it lacks. */

export type { Filter, Limits, OffsetRange, Position, TopicPosition } from '../../protocol/frames.ts';
export { ClientError, type LocalErrorCode } from '../client-error.ts';
export type { ConnectionState, StateChange } from '../connection/connection.ts';
export type { Greeting } from '../connection/socket-session.ts';
export type { Published } from '../offline-queue.ts';
export type { PublishOptions } from '../publication.ts';
export type { Runtime, WebSocketClass } from '../runtime.ts';
export type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
export type { Gap, SubscriptionState } from '../subscriptions/subscription.ts';
export type { JsonPublication } from './codec.ts';
export type { JsonMap, JsonSubscriptionEvents } from './feed.ts';
export {
  JsonClient,
  type JsonClientEvents,
  type JsonClientOptions,
  type JsonHistoryPage,
  type JsonSubscription,
} from './json-client.ts';
