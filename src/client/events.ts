import type { ClientError } from './client-error.ts';
import type { ClosedBy } from './connection/close-code.ts';
import type { StateChange } from './connection/connection.ts';
import type { Greeting } from './connection/socket-session.ts';
import type { PublicationListener } from './subscriptions/subscription.ts';

export interface ClientEvents {
  connect: [greeting: Greeting];
  disconnect: [closed: ClosedBy];
  /**
   * Errors that have no other listener: refused upgrades, lost tokens, subscriptions without one, listeners
   * that threw.
   */
  error: [error: ClientError];
  state: [change: StateChange];
  /**
   * Whether the gateway can't reach what stores its topics: told at each connect, and when it changes. Meanwhile
   * publishes fail, and subscriptions go on.
   */
  degraded: [degraded: boolean];
  /** A heartbeat's round trip. */
  roundTrip: [milliseconds: number];
  /** To this session alone, outside of topics. */
  message: [message: { readonly type: string; readonly data: unknown }];
  /** Publications of topics that the gateway subscribed this session to: `$all`, `user:…`. */
  publication: Parameters<PublicationListener<unknown>>;
}
