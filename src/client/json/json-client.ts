import type { CommandKind, Commands } from '../../protocol/client-frames.ts';
import type { Position, PublishFields } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, localError } from '../client-error.ts';
import { Arrivals } from '../connection/arrivals.ts';
import { Backoff } from '../connection/backoff.ts';
import { Connection, type ConnectionState, type StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import { Emitter } from '../emitter.ts';
import type { Published } from '../offline-queue.ts';
import { absoluteUrl, backoffOptions, type ClientOptions } from '../options.ts';
import { type Outcome, PendingCommands, type ReplyTo } from '../pending-commands.ts';
import type { PublishOptions } from '../publication.ts';
import { platformRuntime, socketFactory } from '../runtime.ts';
import type { SubscriptionState } from '../subscriptions/subscription.ts';
import { Timer } from '../timer.ts';
import { clientVersion } from '../version.ts';
import { Asking } from './asking.ts';
import { type JsonPublication, jsonCodec } from './codec.ts';
import type { FeedOptions, JsonMap, JsonSubscriptionEvents } from './feed.ts';

export interface JsonClientEvents {
  error: [error: ClientError];
  state: [change: StateChange];
  /** Whether the gateway can't reach what stores its topics: at each connect, and when it changes. */
  degraded: [degraded: boolean];
  message: [message: { readonly event: string; readonly data: unknown }];
  /** Publications of topics that the gateway subscribed this session to: `$all`, `user:…`. */
  publication: [publication: JsonPublication];
}

export interface JsonHistoryPage<T> extends Omit<ServerKinds['history'], 'publications'> {
  readonly publications: readonly JsonPublication<T>[];
}

/** One holder of a subscription. Equal ones (by their JSON) share one on the wire, its state and its position. */
export interface JsonSubscription<T = unknown> {
  readonly topic: string;
  readonly state: SubscriptionState;
  /** Why it is `refused`. */
  readonly error: ClientError | undefined;
  /** Up to where everything was seen. As the option `since` it continues there another day. */
  readonly position: Position | undefined;
  /** State topics: the newest publication of each key; of a pattern, `topic` is one of it. */
  current(topic?: string): JsonMap<T>;
  /** Returns a function that removes the listener. */
  on<K extends keyof JsonSubscriptionEvents<T>>(
    event: K,
    listener: (...args: JsonSubscriptionEvents<T>[K]) => void,
  ): () => void;
  /** Removes the listeners of this holder; the last one ends the subscription. */
  unsubscribe(): void;
}

export type JsonClientOptions = Pick<
  ClientOptions,
  | 'token'
  | 'WebSocket'
  | 'reconnect'
  | 'maxReconnectAttempts'
  | 'jitter'
  | 'heartbeat'
  | 'commandTimeoutMs'
  | 'connectTimeoutMs'
  | 'clientName'
  | 'runtime'
>;

const encoder = new TextEncoder();

/**
 * A small client, which speaks JSON. It keeps the promise of the full one: publications in order, none twice, none lost
 * without a `gap`, resumed after a reconnect, patterns by cursor, state topics as maps. It lacks:
 * - the offline queue: a publish waits for the connection as long as a command may take; one that was on its way when
 *   the connection broke rejects with `disconnected` (repeat it with the same `messageId`), and those that wait for a
 *   rate limit may overtake each other; `exceptSelf`;
 * - a beginning of its own (`since`, `last`, `cursor`) for a subscription that joins an equal one: it hears what comes
 *   from then on, and shares publications, `state` and `position`. Options are equal by their JSON: a filter that only
 *   means the same as another is refused until that one has ended;
 * - `joined` and `left`, and events beside `state`: it says `lagging`, then `live`; `refused` comes with an `error`,
 *   which the client tells;
 * - bytes to publish, the payload's own text (numbers beyond 2^53 are rounded), and a check that JSON carries a value;
 * - checks of arguments before they are sent: the gateway refuses them;
 * - a fresh token on a connection that is up: when the token expires the client reconnects with the next one;
 * - other transports than WebSocket; the reason of a refused upgrade, by HTTP; the gateway's clock; statistics;
 * - compression. Of an inbox, what came when nothing listened is given to the next session, not to a listener that
 *   comes later. The state topics of a pattern are kept as long as it is subscribed.
 */
export class JsonClient {
  readonly #events = new Emitter<JsonClientEvents>((fault) => console.error(fault));
  readonly #commands: PendingCommands;
  readonly #connection: Connection;
  readonly #asking: Asking;
  readonly #arrivals = new Arrivals();
  #greeting: Greeting | undefined;

  /** `url`: `wss://host/ws`; in a page also a path. */
  constructor(url: string, options: JsonClientOptions = {}) {
    const runtime = options.runtime ?? platformRuntime();
    const report = (error: ClientError): void => this.#report(error);
    const commands = new PendingCommands(runtime, options.commandTimeoutMs ?? 10_000, (frame) => {
      const message = jsonCodec.encode(frame);
      const maxBytes = this.#greeting?.limits.frameMaxBytes ?? 0;
      if (encoder.encode(message).length > maxBytes)
        throw localError('unsupported_value', `over ${maxBytes} bytes`);
      connection.send(frame, message);
    });
    const { intervalMs = 30_000, timeoutMs = 10_000 } = options.heartbeat ?? {};
    let heardAtMs = 0;
    let beats = 0;
    const timer = new Timer(runtime);
    let unwatch: (() => void) | undefined;
    /** While anything arrives, the connection is alive: a pong may be late after a long backlog. */
    const beat = (): void => {
      const run = ++beats;
      const sentAtMs = runtime.monotonicMs();
      timer.stop();
      const settle = (outcome: Outcome<'ping'>): void => {
        if (run !== beats) return;
        const isSilent = !outcome.ok && outcome.error.code === 'timeout' && heardAtMs <= sentAtMs;
        if (isSilent) connection.abandon(localError('heartbeat_timeout'));
        else timer.set(intervalMs, beat);
      };
      commands.send('ping', {}, settle, timeoutMs);
    };
    const backoff = new Backoff(backoffOptions(options), () => runtime.random());
    const connection = new Connection(
      {
        url: absoluteUrl(url),
        token: options.token,
        clientName: options.clientName ?? `sluice-js/${clientVersion}`,
        connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
        capabilities: ['acks'],
      },
      { codec: jsonCodec, open: socketFactory(options.WebSocket), runtime },
      backoff,
      {
        frame: (frame) => {
          heardAtMs = runtime.monotonicMs();
          if (!commands.resolve(frame)) this.#received(frame);
        },
        connected: (greeting) => {
          this.#greeting = greeting;
          commands.open();
          this.#asking.connected(greeting.limits.frameMaxBytes);
          beat();
          this.#events.emit('degraded', Boolean(greeting.degraded));
          this.#arrivals.arrived(greeting);
        },
        disconnected: () => {
          this.#greeting = undefined;
          beats++;
          timer.stop();
          commands.disconnected();
          this.#asking.disconnected();
        },
        state: (change) => {
          const { state, error = localError('closed') } = change;
          if (state === 'closed') {
            unwatch?.();
            unwatch = undefined;
            this.#arrivals.failed(error);
            commands.rejectWaiting(error);
          } else
            unwatch ??= runtime.watch?.(() => {
              connection.woke();
              if (this.#greeting) beat();
            });
          this.#events.emit('state', change);
          if (state === 'closed' && change.error) report(change.error);
        },
        report,
        attemptFailed: (error) => {
          if (!backoff.ends) this.#arrivals.failed(error);
        },
      },
    );
    this.#connection = connection;
    this.#commands = commands;
    this.#asking = new Asking(
      commands,
      runtime,
      (error) => connection.abandon(error),
      report,
      (feed) => {
        feed.events.on('publication', (publication) => {
          if (!this.#events.emit('publication', publication)) feed.isInbox &&= feed.holders > 1;
        });
      },
    );
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  get session(): string | undefined {
    return this.#greeting?.session;
  }

  /** Begins to connect, and goes on by itself; the promise tells of the first success, or failure. */
  connect(): Promise<Greeting> {
    if (this.#greeting) return Promise.resolve(this.#greeting);
    const arrival = this.#arrivals.add();
    this.#connection.connect();
    return arrival;
  }

  /** Ends the connection. Subscriptions stay, and go on where they were after another `connect()`. */
  close(): void {
    this.#asking.closing();
    this.#connection.close();
  }

  /** One topic, or a pattern with a trailing `*`. */
  subscribe<T = unknown>(
    topic: string,
    options: FeedOptions | ((publication: JsonPublication<T>) => void) = {},
    listener?: (publication: JsonPublication<T>) => void,
  ): JsonSubscription<T> {
    if (typeof options === 'function') return this.subscribe(topic, {}, options);
    const feed = this.#asking.hold(topic, options);
    const removers: (() => void)[] = [];
    let isOver = false;
    const subscription: JsonSubscription<T> = {
      topic,
      get state() {
        return isOver ? 'closed' : feed.state;
      },
      get error() {
        return feed.error;
      },
      get position() {
        return feed.at(topic);
      },
      current: (one = topic) => feed.entries(one) as JsonMap<T>,
      on: (event, listener) => {
        const remove = isOver ? () => {} : feed.events.on(event, listener as never);
        removers.push(remove);
        return remove;
      },
      unsubscribe: () => {
        if (isOver) return;
        isOver = true;
        for (const remove of removers) remove();
        feed.holders--;
        this.#asking.plan();
      },
    };
    if (listener) subscription.on('publication', listener);
    return subscription;
  }

  /** Settles when the gateway has committed it. `data` goes as `JSON.stringify` writes it. */
  async publish(
    topic: string,
    type: string,
    data: unknown = null,
    options: Omit<PublishOptions, 'exceptSelf'> = {},
  ): Promise<Published> {
    if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) throw localError('unsupported_value');
    const { timestampMs, ...rest } = options;
    const timestamp = timestampMs === undefined ? undefined : new Date(timestampMs).toISOString();
    // The JSON text is written now: what the application does with its data later changes nothing.
    const fields = { ...rest, topic, event: type, data, timestamp };
    return this.#request('publish', JSON.parse(JSON.stringify(fields)) as unknown as PublishFields);
  }

  /** A page of the topic's history, oldest first: publications with offsets greater than `after`. */
  history<T = unknown>(
    topic: string,
    options: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<JsonHistoryPage<T>> {
    return this.#request('history', { topic, ...options }) as Promise<unknown> as Promise<JsonHistoryPage<T>>;
  }

  /** The sessions that are subscribed to the topic and listed there. */
  presence(topic: string): Promise<ServerKinds['presence']> {
    return this.#request('presence', { topic });
  }

  /** Returns a function that removes the listener. */
  on<K extends keyof JsonClientEvents>(
    event: K,
    listener: (...args: JsonClientEvents[K]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  async #request<K extends CommandKind>(kind: K, fields: Commands[K]): Promise<ReplyTo<K>> {
    if (this.state === 'closed') throw localError('closed');
    return this.#commands.request(kind, fields);
  }

  #received(frame: ServerFrame): void {
    if (frame.kind === 'goingAway') this.#connection.goingAway(frame.reconnectDelayMs);
    else if (frame.kind === 'gatewayState') this.#events.emit('degraded', frame.degraded);
    else if (frame.kind === 'message') this.#events.emit('message', frame as unknown as JsonMessage);
    else if (frame.kind === 'error') this.#report(new ClientError(frame));
    else this.#asking.push(frame);
  }

  #report(error: ClientError): void {
    if (!this.#events.emit('error', error)) console.error(error);
  }
}

type JsonMessage = JsonClientEvents['message'][0];
