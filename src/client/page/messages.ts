import type { WireError } from '../../protocol/frames.ts';
import type { Client, HistoryPage } from '../client.ts';
import { ClientError } from '../client-error.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import type { ClientEvents } from '../events.ts';
import { type PlainPublication, ReceivedPublication } from '../publication.ts';
import type { ClientStats, ClientStatus } from '../status.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { StateMap } from '../subscriptions/subscription.ts';
import type { CallName, DelegateEvent } from './delegate.ts';

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
  | { readonly kind: 'welcome'; readonly greeting: Greeting | undefined; readonly change: StateChange }
  | { readonly kind: 'events'; readonly id: number; readonly events: readonly DelegateEvent[] }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  /** The reply to `history`. */
  | { readonly kind: 'page'; readonly id: number; readonly value: HistoryPage<unknown> }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: ClientError }
  | { readonly kind: 'told'; readonly told: ClientEvent }
  /** The holder has asked its application for a token. */
  | { readonly kind: 'renewed' }
  /** The page's `connect` has failed. */
  | { readonly kind: 'unconnected'; readonly error: ClientError }
  | { readonly kind: 'pong' | 'status'; readonly status: ClientStatus; readonly stats: ClientStats };

const clientEvents = ['connect', 'disconnect', 'error', 'state', 'roundTrip', 'degraded', 'message'] as const;
type ClientEventName = (typeof clientEvents)[number];

/** An event of the client, which every page gets: its name and its argument. */
export type ClientEvent = {
  [K in ClientEventName]: readonly [event: K, ...args: ClientEvents[K]];
}[ClientEventName];

/** Calls `tell` with every event of the client. Returns a function to stop. */
export function watchClient(client: Client, tell: (told: ClientEvent) => void): () => void {
  const stops = clientEvents.map((event) =>
    client.on(event, (arg: unknown) => tell([event, arg] as unknown as ClientEvent)),
  );
  return () => {
    for (const stop of stops) stop();
  };
}

// -- objects of classes, which structured cloning can't carry ---------------------------------------------

/** How to replace each object of a class in a message. */
interface Conversion {
  error(error: WireError): WireError;
  publication(publication: unknown): unknown;
}

/** The message as structured cloning carries it. */
export function plain(message: FromHost): FromHost {
  return converted(message, {
    error: ({ code, number, message, retry, retryAfterMs }) => ({
      code,
      number,
      message,
      retry,
      retryAfterMs,
    }),
    publication(publication) {
      const { payload, ...fields } = (publication as ReceivedPublication).plain();
      // Copied, because a clone of a view would hold all of the frame.
      return { ...fields, payload: { ...payload, bytes: payload.bytes.slice() } };
    },
  });
}

/** Makes the objects of a cloned message anew. */
export function live(message: FromHost): FromHost {
  return converted(message, {
    error: (error) => new ClientError(error),
    publication: (publication) =>
      new ReceivedPublication((publication as PlainPublication).topic, publication as PlainPublication),
  });
}

function converted(message: FromHost, by: Conversion): FromHost {
  switch (message.kind) {
    case 'welcome':
      return { ...message, change: withError(message.change, by) };
    case 'events':
      return { ...message, events: message.events.map((event) => convertedEvent(event, by)) };
    case 'told':
      return { ...message, told: convertedEvent(message.told, by) };
    case 'page': {
      const publications = message.value.publications.map(by.publication) as ReceivedPublication[];
      return { ...message, value: { ...message.value, publications } };
    }
    case 'refusal':
    case 'unconnected':
      return withError(message, by);
    case 'pong':
    case 'status':
      return { ...message, status: withError(message.status, by) };
    default:
      return message;
  }
}

function withError<T extends { readonly error?: WireError | undefined }>(value: T, { error }: Conversion): T {
  return { ...value, error: value.error && error(value.error) };
}

function convertedEvent<E extends DelegateEvent | ClientEvent>(event: E, by: Conversion): E {
  const [name, first, ...rest] = event as readonly [string, ...unknown[]];
  let value = first;
  if (name === 'publication') value = by.publication(first);
  else if (name === 'snapshot')
    value = new Map([...(first as StateMap)].map(([key, publication]) => [key, by.publication(publication)]));
  else if (name === 'error') value = by.error(first as WireError);
  else if (name === 'state' && typeof first === 'object') value = withError(first as StateChange, by);
  return [name, value, ...rest] as unknown as E;
}
