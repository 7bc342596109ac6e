import type { WireError } from '../../protocol/frames.ts';
import type { HistoryPage } from '../client.ts';
import { ClientError } from '../client-error.ts';
import type { ClosedBy } from '../connection/close-code.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import { type PlainPublication, ReceivedPublication } from '../publication.ts';
import type { ClientStats, ClientStatus } from '../status.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { CallName, DelegateEvent } from './delegate.ts';

export type PlainEvent = DelegateEvent<PlainPublication, WireError>;

/** From a page to the tab or worker that holds the client. */
export type ToHost =
  | {
      readonly kind: 'attach';
      readonly id: number;
      readonly topic: string;
      readonly options: SubscribeOptions;
    }
  | { readonly kind: 'detach'; readonly id: number }
  | { readonly kind: 'keys'; readonly id: number; readonly keys: readonly string[] }
  | { readonly kind: 'call'; readonly id: number; readonly name: CallName; readonly args: readonly unknown[] }
  | { readonly kind: 'hello' | 'connect' | 'bye' | 'ping' };

/** From the holder of the client to a page. */
export type FromHost =
  | { readonly kind: 'welcome'; readonly greeting: Greeting | undefined; readonly change: PlainChange }
  | { readonly kind: 'events'; readonly id: number; readonly events: readonly PlainEvent[] }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'told'; readonly told: PlainClientEvent }
  /** The page's `connect` has failed. */
  | { readonly kind: 'unconnected'; readonly error: WireError }
  | { readonly kind: 'pong' | 'status'; readonly status: PlainStatus; readonly stats: ClientStats };

export type PlainChange = Omit<StateChange, 'error'> & { readonly error?: WireError };
export type PlainStatus = Omit<ClientStatus, 'error'> & { readonly error: WireError | undefined };

/** Events of the client, which every page gets. */
export type PlainClientEvent =
  | { readonly event: 'connect'; readonly greeting: Greeting }
  | { readonly event: 'disconnect'; readonly closed: ClosedBy }
  | { readonly event: 'error'; readonly error: WireError }
  | { readonly event: 'state'; readonly change: PlainChange }
  | { readonly event: 'roundTrip'; readonly milliseconds: number }
  | { readonly event: 'degraded'; readonly degraded: boolean }
  | { readonly event: 'message'; readonly message: { readonly type: string; readonly data: unknown } };

function plainPublication(publication: ReceivedPublication): PlainPublication {
  const plain = publication.plain();
  // Copied, because a clone of a view would hold all of the message.
  return { ...plain, payload: { ...plain.payload, bytes: publication.bytes } };
}

export function plainError({ code, number, message, retry, retryAfterMs }: ClientError): WireError {
  return { code, number, message, retry, retryAfterMs };
}

export function plainChange({ error, ...change }: StateChange): PlainChange {
  return { ...change, error: error && plainError(error) };
}

export function liveChange({ error, ...change }: PlainChange): StateChange {
  return { ...change, error: error && new ClientError(error) };
}

export function plainEvent(event: DelegateEvent): PlainEvent {
  switch (event.kind) {
    case 'publication':
      return { ...event, publication: plainPublication(event.publication) };
    case 'snapshot':
      return { ...event, publications: event.publications.map(plainPublication) };
    case 'error':
      return { ...event, error: plainError(event.error) };
    default:
      return event;
  }
}

export function liveEvent(event: PlainEvent): DelegateEvent {
  switch (event.kind) {
    case 'publication':
      return { ...event, publication: livePublication(event.publication) };
    case 'snapshot':
      return { ...event, publications: event.publications.map(livePublication) };
    case 'error':
      return { ...event, error: new ClientError(event.error) };
    default:
      return event;
  }
}

/** The result of a call as plain data. Only pages of history hold publications. */
export function plainReply(value: unknown): unknown {
  return isPage(value) ? { ...value, publications: value.publications.map(plainPublication) } : value;
}

export function liveReply(name: CallName, value: unknown): unknown {
  if (name !== 'history') return value;
  const page = value as { readonly publications: readonly PlainPublication[] };
  return { ...page, publications: page.publications.map(livePublication) };
}

function isPage(value: unknown): value is HistoryPage<unknown> {
  return typeof value === 'object' && value !== null && 'publications' in value;
}

function livePublication(plain: PlainPublication): ReceivedPublication {
  return new ReceivedPublication(plain.topic, plain);
}
