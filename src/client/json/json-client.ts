import type { ClientFrame, CommandKind, Commands } from '../../protocol/client-frames.ts';
import type { Position, PublishFields } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { utf8 } from '../../protocol/utf8.ts';
import { ClientError, localError } from '../client-error.ts';
import { Arrivals } from '../connection/arrivals.ts';
import { Backoff } from '../connection/backoff.ts';
import {
  Connection,
  type ConnectionPort,
  type ConnectionState,
  type StateChange,
} from '../connection/connection.ts';
import type { HeartbeatOptions } from '../connection/heartbeat.ts';
import type { Greeting } from '../connection/socket-session.ts';
import { Emitter } from '../emitter.ts';
import type { Published } from '../offline-queue.ts';
import { absoluteUrl, backoffOptions, type ClientOptions } from '../options.ts';
import { type Outcome, PendingCommands, type ReplyTo } from '../pending-commands.ts';
import type { PublishOptions } from '../publication.ts';
import { platformRuntime, type Runtime, socketFactory } from '../runtime.ts';
import type { SubscriptionState } from '../subscriptions/subscription.ts';
import { Timer } from '../timer.ts';
import { clientVersion } from '../version.ts';
import { Asking } from './asking.ts';
import { type JsonPublication, jsonCodec } from './codec.ts';
import type { FeedOptions, JsonMap, JsonSubscriptionEvents } from './feed.ts';

export interface JsonClientEvents {
  error: [error: ClientError];
  state: [change: StateChange];
  /** Whether the gateway can't reach the store of its topics: emitted at each connect, and when it changes. */
  degraded: [degraded: boolean];
  message: [message: { readonly event: string; readonly data: unknown }];
  /** Publications of topics that the gateway subscribed this session to: `$all`, `user:…`. */
  publication: [publication: JsonPublication];
}

export interface JsonHistoryPage<T> extends Omit<ServerKinds['history'], 'publications'> {
  readonly publications: readonly JsonPublication<T>[];
}

/** One holder of a subscription. Equal ones (by their JSON) share the one on the wire, its state and position. */
export interface JsonSubscription<T = unknown> {
  readonly topic: string;
  readonly state: SubscriptionState;
  /** Why it is `refused`. */
  readonly error: ClientError | undefined;
  /** Everything up to here was delivered. Given as the option `since`, a later subscription continues here. */
  readonly position: Position | undefined;
  /** State topics: the newest publication of each key. `topic`: one of a pattern's topics. */
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

/**
 * A small client, which speaks JSON. It keeps the promise of the full one: publications in order, none twice, none lost
 * without a `gap`, resumed after a reconnect, patterns by cursor, state topics as maps. It lacks:
 * - the offline queue and `exceptSelf`: a publish waits for the connection no longer than `commandTimeoutMs`. If the
 *   connection is lost before the reply it rejects with `disconnected` (repeat it with the same `messageId`), and
 *   publications that wait because of a rate limit may overtake each other;
 * - a start of its own (`since`, `last`, `cursor`) for a subscription that joins an equal one: it gets what comes from
 *   then on, and shares publications, `state` and `position`. Options are equal by their JSON: a filter that only means
 *   the same as another is refused until that one has ended;
 * - presence (`joined`, `left`), `ready`, and the events `lagging`, `caughtUp` and `error`: see `state`. The client
 *   emits the `error` of a refusal;
 * - publishing bytes, the payload's own text (numbers beyond 2^53 are rounded), and a check that JSON carries a value;
 * - checks of options, and of arguments before they are sent: the gateway refuses them;
 * - a fresh token on an open connection: when the token expires the client reconnects with the next one;
 * - a change of user: the topic of the user before is asked for again at each connect, and its refusal is an `error`;
 * - other transports than WebSocket; the reason of a refused upgrade; the gateway's clock; statistics;
 * - compression. Publications of an inbox that came without a listener go to the next session, not to a later listener.
 *   The state topics of a pattern are kept as long as it is subscribed.
 */
export class JsonClient {
  readonly #events = new Emitter<JsonClientEvents>((fault) => console.error(fault));
  readonly #runtime: Runtime;
  readonly #backoff: Backoff;
  readonly #commands: PendingCommands;
  readonly #heartbeat: ReturnType<typeof heartbeat>;
  readonly #connection: Connection;
  readonly #asking: Asking;
  readonly #arrivals = new Arrivals<Greeting>();
  #greeting: Greeting | undefined;
  #unwatch: (() => void) | undefined;

  /** `url`: `wss://host/ws`; in a page also a path. */
  constructor(url: string, wanted?: JsonClientOptions) {
    const options = wanted ?? {};
    const runtime = options.runtime ?? platformRuntime();
    this.#runtime = runtime;
    this.#backoff = new Backoff(backoffOptions(options), runtime);
    this.#commands = new PendingCommands(runtime, options.commandTimeoutMs, (frame) => this.#send(frame));
    this.#connection = new Connection(
      {
        ...options,
        url: absoluteUrl(url),
        clientName: options.clientName ?? `sluice-js/${clientVersion}`,
        capabilities: ['acks'],
        codec: jsonCodec,
        open: socketFactory(options.WebSocket),
        runtime,
      },
      this.#backoff,
      this.#port(),
    );
    this.#heartbeat = heartbeat(this.#commands, runtime, options.heartbeat, () =>
      this.#connection.abandon(localError('heartbeat_timeout')),
    );
    this.#asking = new Asking({
      commands: this.#commands,
      runtime,
      abandon: (error) => this.#connection.abandon(error),
      report: (error) => this.#report(error),
      serverMade: (feed) =>
        void feed.emitter.on('publication', (publication) => {
          if (!this.#events.emit('publication', publication)) feed.unheard();
        }),
    });
  }

  /** Vue then keeps it as it is: through a proxy of Vue private fields can't be read. */
  protected get __v_skip(): true {
    return true;
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  get session(): string | undefined {
    return this.#greeting?.session;
  }

  /**
   * Begins to connect, and keeps trying by itself. The promise settles with the first success or failure; with
   * `maxReconnectAttempts`, with the failure of the last attempt.
   */
  connect(): Promise<Greeting> {
    if (this.#greeting) return Promise.resolve(this.#greeting);
    const arrival = this.#arrivals.add();
    this.#connection.connect();
    return arrival;
  }

  /** Ends the connection. Subscriptions stay, and continue from their positions after another `connect()`. */
  close(): void {
    this.#asking.closing();
    this.#connection.close();
  }

  /** One topic, or a pattern with a trailing `*`. */
  subscribe<T = unknown>(
    topic: string,
    options?: FeedOptions | ((publication: JsonPublication<T>) => void),
    listener?: (publication: JsonPublication<T>) => void,
  ): JsonSubscription<T> {
    if (typeof options === 'function') return this.subscribe(topic, {}, options);
    const feed = this.#asking.hold(topic, options ?? {});
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
        const remove = isOver ? () => {} : feed.emitter.on(event, listener as never);
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

  /** Resolves when the gateway has committed the publication. `data` is sent as `JSON.stringify` writes it. */
  async publish(
    topic: string,
    type: string,
    data: unknown = null,
    options?: Omit<PublishOptions, 'exceptSelf'>,
  ): Promise<Published> {
    if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) throw localError('unsupported_value');
    const { timestampMs, ...rest } = options ?? {};
    const timestamp = typeof timestampMs === 'number' ? new Date(timestampMs).toISOString() : undefined;
    // The JSON text is written now, so that later changes of the data have no effect.
    const fields = { ...rest, topic, event: type, data, timestamp };
    return this.#request('publish', JSON.parse(JSON.stringify(fields)) as unknown as PublishFields);
  }

  /** A page of the topic's history, oldest first: publications with offsets greater than `after`. */
  history<T = unknown>(
    topic: string,
    options?: { readonly after?: number | undefined; readonly limit?: number | undefined },
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

  #send(frame: ClientFrame): void {
    const message = jsonCodec.encode(frame);
    const { frameMaxBytes = 0 } = this.#greeting?.limits ?? {};
    if (utf8(message).length > frameMaxBytes) throw localError('frame_too_large');
    this.#connection.send(frame, message);
  }

  /** What the connection reports. */
  #port(): ConnectionPort {
    return {
      frame: (frame) => {
        this.#heartbeat.heard();
        if (!this.#commands.resolve(frame)) this.#received(frame);
      },
      connected: (greeting) => {
        this.#greeting = greeting;
        this.#commands.open();
        this.#asking.connected();
        this.#heartbeat.beat();
        this.#events.emit('degraded', Boolean(greeting.degraded));
        this.#arrivals.arrived(greeting);
      },
      disconnected: () => {
        this.#greeting = undefined;
        this.#heartbeat.stop();
        this.#commands.disconnected();
        this.#asking.disconnected();
      },
      // Before it was accepted, an earlier attempt may have been told of subscriptions that the gateway made.
      greeted: () => this.#asking.disconnected(),
      state: (change) => this.#changed(change),
      report: (error) => this.#report(error),
      failed: (error) => {
        if (!this.#backoff.ends) this.#arrivals.failed(error);
      },
    };
  }

  #changed(change: StateChange): void {
    const { state, error = localError('closed') } = change;
    if (state === 'closed') {
      this.#unwatch?.();
      this.#unwatch = undefined;
      this.#arrivals.failed(error);
      this.#commands.rejectWaiting(error);
    } else
      this.#unwatch ??= this.#runtime.watch?.(() => {
        this.#connection.woke();
        if (this.#greeting) this.#heartbeat.beat();
      });
    this.#events.emit('state', change);
    if (state === 'closed' && change.error) this.#report(error);
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

/** Pings, and calls `dead` after a ping without any message. A pong itself may be late after a long backlog. */
function heartbeat(
  commands: PendingCommands,
  runtime: Runtime,
  options: HeartbeatOptions | undefined,
  dead: () => void,
) {
  const timer = new Timer(runtime);
  let heardAtMs = 0;
  let beats = 0;
  const stop = (): void => {
    beats++;
    timer.stop();
  };
  const beat = (): void => {
    stop();
    const run = beats;
    const sentAtMs = runtime.monotonicMs();
    const settle = (...[, error]: Outcome<'ping'>): void => {
      if (run !== beats) return;
      const isSilent = error?.code === 'timeout' && heardAtMs <= sentAtMs;
      if (isSilent) dead();
      else timer.set(options?.intervalMs ?? 25_000, beat);
    };
    commands.send('ping', {}, settle, options?.timeoutMs ?? 10_000);
  };
  const heard = (): void => {
    heardAtMs = runtime.monotonicMs();
  };
  return { beat, heard, stop };
}

type JsonMessage = JsonClientEvents['message'][0];
