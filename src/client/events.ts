import type { ClientError } from './client-error.ts';
import type { ClosedBy } from './connection/close-code.ts';
import type { StateChange } from './connection/connection.ts';
import type { Greeting } from './connection/socket-session.ts';
import type { PublicationListener } from './subscriptions/subscription.ts';

export interface ClientEvents {
  connect: [greeting: Greeting];
  disconnect: [closed: ClosedBy];
  /**
   * Errors that nothing else reports: refused upgrades, missing tokens, refused subscriptions without a listener to
   * `error`, listeners that threw.
   */
  error: [error: ClientError];
  state: [change: StateChange];
  /**
   * Whether the gateway can't reach the store of its topics: emitted at each connect, and when it changes. While it is
   * degraded publishes fail and subscriptions continue.
   */
  degraded: [degraded: boolean];
  /** A heartbeat's round trip. */
  roundTrip: [milliseconds: number];
  /** A message to this session alone, outside of topics. */
  message: [message: { readonly type: string; readonly data: unknown }];
  /** Publications of topics that the gateway subscribed this session to: `$all`, `user:…`. */
  publication: Parameters<PublicationListener<unknown>>;
}
