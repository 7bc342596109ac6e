import type { ClientFrame, CommandKind } from '../protocol/client-frames.ts';
import type { Limits, PublishFields } from '../protocol/frames.ts';
import { maxUint32 } from '../protocol/integers.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { ClientError, localError } from './client-error.ts';
import { Arrivals } from './connection/arrivals.ts';
import { Backoff, unlimited } from './connection/backoff.ts';
import type { ClosedBy } from './connection/close-code.ts';
import { Connection, type ConnectionPort, type StateChange } from './connection/connection.ts';
import { Heartbeat, type HeartbeatPort } from './connection/heartbeat.ts';
import { ServerClock } from './connection/server-clock.ts';
import type { Greeting } from './connection/socket-session.ts';
import type { code as TokenRefresh, TokenRefreshPort } from './connection/token-refresh.ts';
import { Wake } from './connection/wake.ts';
import { Emitter } from './emitter.ts';
import type { ClientEvents } from './events.ts';
import { Transports, type TransportsPort } from './http/transports.ts';
import { Inflow } from './inflow.ts';
import { later } from './later.ts';
import { OfflineQueue, type OfflineQueuePort } from './offline-queue.ts';
import { checkOptions } from './option-check.ts';
import { absoluteUrl, backoffOptions, type ClientOptions } from './options.ts';
import { OwnPublications } from './own-publications.ts';
import { readPayload } from './payload.ts';
import { PendingCommands, type ReplyTo } from './pending-commands.ts';
import { checkedCommand } from './requests.ts';
import { platformRuntime, type Runtime } from './runtime.ts';
import { type ClientStats, noStats } from './status.ts';
import type { LocalSubscription } from './subscriptions/local-subscription.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import type { SubscriptionsPort } from './subscriptions/wires.ts';
import { Timer } from './timer.ts';
import { clientVersion } from './version.ts';
import { protobufCodec } from './wire/protobuf.ts';

/** Finds out why no WebSocket opens. If this code can't be loaded, the gateway can't be reached either. */
export const inquiring = later(() => import('./connection/inquiry.ts'));
/** For applications whose tokens expire, and that gave a function to get another. */
export const refreshing = later(() => import('./connection/token-refresh.ts'));

type Counters = { -readonly [K in keyof ClientStats]: number };

/** Builds the parts of a client, implements the port of each, and hands each frame to the part that it is for. */
export class Core
  implements
    ConnectionPort,
    HeartbeatPort,
    OfflineQueuePort,
    SubscriptionsPort,
    TokenRefreshPort,
    TransportsPort
{
  readonly runtime: Runtime;
  readonly emitter = new Emitter<ClientEvents>((fault, event) => this.#listenerFailed(fault, event));
  readonly transports: Transports;
  readonly connection: Connection;
  readonly commands: PendingCommands;
  readonly subscriptions: Subscriptions;
  readonly queue: OfflineQueue;
  readonly clock: ServerClock;
  readonly arrivals = new Arrivals<Greeting>();
  readonly own = new OwnPublications();
  readonly stats: Counters = { ...noStats };
  greeting: Greeting | undefined;
  connectedAtMs: number | undefined;
  lastChange: StateChange = { state: 'idle', previous: 'idle', attempts: 0 };
  /** Those of the latest greeting, until the next one. Before it there are none: each publication is checked again. */
  limits: Partial<Limits> = {};
  readonly #url: string;
  readonly #options: ClientOptions;
  readonly #backoff: Backoff;
  readonly #heartbeat: Heartbeat;
  readonly #wake: Wake;
  readonly #inflow = new Inflow(
    (frame) => this.#handle(frame),
    (cause) => this.connection.abandon(localError('code_unavailable', undefined, cause)),
  );
  #refresh: TokenRefresh | undefined;

  constructor(url: string, options: ClientOptions) {
    checkOptions(options);
    const runtime = options.runtime ?? platformRuntime();
    this.runtime = runtime;
    this.#url = absoluteUrl(url);
    this.#options = options;
    const { client: clientName = `sluice-js/${clientVersion}` } = checkedCommand('connect', {
      client: options.clientName,
    });
    this.clock = new ServerClock(runtime);
    this.commands = new PendingCommands(runtime, options.commandTimeoutMs, (frame) => this.#send(frame));
    this.#backoff = new Backoff(backoffOptions(options), runtime);
    this.transports = new Transports(options, this);
    this.connection = new Connection(
      {
        ...options,
        url: this.#url,
        clientName,
        capabilities: ['dictionary', 'acks'],
        codec: protobufCodec,
        open: (...opening) => this.transports.open(...opening),
        runtime,
      },
      this.#backoff,
      this,
    );
    this.subscriptions = new Subscriptions(this);
    this.queue = new OfflineQueue(options.offlineQueue, runtime, this);
    this.#heartbeat = new Heartbeat(options.heartbeat, runtime, this);
    this.#wake = new Wake(runtime, () => {
      this.connection.woke();
      this.#heartbeat.probe();
    });
  }

  /**
   * Begins to connect. The promise settles with the first attempt or, if their number is limited, with the last one.
   */
  connect(): Promise<Greeting> {
    if (this.greeting) return Promise.resolve(this.greeting);
    const arrival = this.arrivals.add();
    this.connection.connect();
    return arrival;
  }

  close(): void {
    this.subscriptions.acknowledging?.flush();
    this.connection.close();
  }

  // -- the connection ---------------------------------------------------------------------------------

  /**
   * What was told of subscriptions holds no more. An earlier attempt may have been told of some that the gateway made,
   * before it was accepted.
   */
  greeted(): void {
    this.#inflow.clear();
    this.subscriptions.disconnected();
  }

  connected(greeting: Greeting): void {
    this.greeting = greeting;
    this.limits = greeting.limits;
    this.connectedAtMs = this.runtime.now();
    this.clock.greeted(greeting.timeMs);
    this.stats.connects++;
    this.commands.open();
    this.subscriptions.connected();
    this.queue.connected();
    this.#heartbeat.start();
    this.#planRefresh(greeting.expiresMs, greeting.timeMs);
    this.emitter.emit('degraded', Boolean(greeting.degraded));
  }

  disconnected(closed: ClosedBy): void {
    this.greeting = undefined;
    this.connectedAtMs = undefined;
    this.stats.disconnects++;
    this.#heartbeat.stop();
    this.#refresh?.stop();
    this.commands.disconnected();
    this.greeted();
    this.queue.disconnected();
    this.emitter.emit('disconnect', closed);
  }

  state(change: StateChange): void {
    const { state, error = localError('closed') } = change;
    this.lastChange = change;
    this.subscriptions.clientChanged(state === 'closed' ? error : undefined);
    if (state === 'closed') {
      this.#wake.stop();
      this.arrivals.failed(error);
      this.commands.rejectWaiting(error);
      this.queue.rejectAll(error);
    } else this.#wake.start();
    const arrived = state === 'connected' ? this.greeting : undefined;
    if (arrived) this.arrivals.arrived(arrived);
    this.emitter.emit('state', change);
    if (arrived && this.greeting) this.emitter.emit('connect', this.greeting);
    if (state === 'closed' && change.error) this.report(error);
  }

  failed(error: ClientError): void {
    this.transports.failed(error);
    if (!this.#backoff.ends) this.arrivals.failed(error);
  }

  /** Plans the next attempt before the reason is known. If there is none, the reason is awaited for `closed`. */
  unopened(error: ClientError): void {
    const { connection, runtime } = this;
    const isLastAttempt = this.#backoff.isOver;
    if (!isLastAttempt) connection.toReconnecting(error);
    const { run } = connection;
    inquiring.use(
      (inquire) =>
        void inquire(connection, this, { url: this.#url, runtime, isLastAttempt, error, ClientError }),
      (cause) => {
        if (run === connection.run)
          (isLastAttempt ? connection : this).failed(localError('gateway_unreachable', undefined, cause));
      },
    );
  }

  beat(roundTripMs: number, timeMs: number): void {
    this.clock.observe(roundTripMs, timeMs);
    this.emitter.emit('roundTrip', roundTripMs);
  }

  dead(): void {
    const error = localError('heartbeat_timeout');
    this.transports.failed(error);
    this.connection.abandon(error);
  }

  /** Both times are by the gateway's clock. */
  #planRefresh(expiresMs: number | undefined, nowMs: number): void {
    const { greeting, runtime } = this;
    const { token } = this.#options;
    if (!expiresMs || typeof token !== 'function') return;
    refreshing.use(
      (TokenRefresh) => {
        if (greeting !== this.greeting) return;
        this.#refresh ??= new TokenRefresh(token, new Timer(runtime), new Backoff({}, runtime), this);
        this.#refresh.plan(expiresMs, nowMs);
      },
      (cause) => this.report(localError('code_unavailable', undefined, cause)),
    );
  }

  tokenFailed(message: string | undefined, cause: unknown): void {
    this.report(localError('token_failed', message, cause));
  }

  // -- frames -----------------------------------------------------------------------------------------

  /** Rejects if the command can't be sent. While the gateway limits the rate it is sent again, within its timeout. */
  async request<K extends CommandKind>(
    kind: K,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<ReplyTo<K>> {
    if (this.connection.state === 'closed') throw localError('closed');
    return this.commands.request(kind, checkedCommand(kind, fields));
  }

  #send(frame: ClientFrame): void {
    const message = this.#encoded(frame);
    this.stats.framesSent++;
    this.stats.bytesSent += message.byteLength;
    this.connection.send(frame, message);
  }

  /** Throws for a publish that the gateway would refuse, and for a frame for which it would close the connection. */
  #encoded(frame: ClientFrame): Uint8Array {
    const { payloadMaxBytes = unlimited, frameMaxBytes = unlimited } = this.limits;
    if (frame.kind === 'publish' && frame.payload.bytes.byteLength > payloadMaxBytes)
      throw localError('payload_too_large', `over ${payloadMaxBytes} bytes`);
    const message = protobufCodec.encode(frame);
    if (message.byteLength > frameMaxBytes)
      throw localError('frame_too_large', `over ${frameMaxBytes} bytes`);
    return message;
  }

  check(fields: PublishFields, exceptSelf: boolean | undefined): void {
    const except = exceptSelf ? longestSession : undefined;
    this.#encoded({ kind: 'publish', id: maxUint32, ...fields, except });
  }

  frame(frame: ServerFrame, message: unknown): void {
    this.stats.framesReceived++;
    this.stats.bytesReceived += (message as Partial<ArrayBuffer>).byteLength ?? 0;
    this.#heartbeat.heard();
    this.#inflow.take(frame);
  }

  #handle(frame: ServerFrame): void {
    if (this.commands.resolve(frame)) return;
    const { kind } = frame;
    if (kind === 'goingAway') this.connection.goingAway(frame.reconnectDelayMs);
    // A device that slept has missed its own timer.
    else if (kind === 'tokenExpiring') this.#planRefresh(frame.expiresMs, frame.expiresMs);
    else if (kind === 'gatewayState') this.emitter.emit('degraded', frame.degraded);
    // The gateway has checked that it is JSON.
    else if (kind === 'message')
      this.emitter.emit('message', { type: frame.type, data: readPayload(frame.payload) });
    else if (kind === 'error') this.report(new ClientError(frame));
    else this.subscriptions.push(frame);
  }

  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(subscription: LocalSubscription): void {
    subscription.on('publication', (...args) => void this.emitter.emit('publication', ...args));
    subscription.on('error', (error) => {
      // Finally: it is the topic of another user, who was signed in before.
      if (error.retry) this.report(error);
      else subscription.unsubscribe();
    });
  }

  // -- errors -----------------------------------------------------------------------------------------

  report(error: ClientError): void {
    if (!this.emitter.emit('error', error)) console.error(error);
  }

  #listenerFailed(fault: unknown, event: keyof ClientEvents): void {
    const error = localError('listener_failed', `listener to ${event}`, fault);
    // Telling the listeners to errors that one of them threw would go round in circles.
    if (event === 'error') console.error(error);
    else this.report(error);
  }
}

/** Longer than the id of any session: the frame of a publish with `exceptSelf` holds one. */
const longestSession = 'x'.repeat(64);
