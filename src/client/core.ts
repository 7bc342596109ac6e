import type { ClientFrame, CommandKind, Commands } from '../protocol/client-frames.ts';
import { maxUint32 } from '../protocol/fields.ts';
import type { Limits, PublishFields } from '../protocol/frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import { ClientError, localError, ownError } from './client-error.ts';
import { Arrivals } from './connection/arrivals.ts';
import { Backoff, unlimited } from './connection/backoff.ts';
import type { ClosedBy } from './connection/close-code.ts';
import { Connection, type ConnectionPort, type StateChange } from './connection/connection.ts';
import { Heartbeat, type HeartbeatPort, type Pulse } from './connection/heartbeat.ts';
import type { Refusal } from './connection/learn-refusal.ts';
import { ServerClock } from './connection/server-clock.ts';
import type { Greeting } from './connection/socket-session.ts';
import type { TokenRefresh, TokenRefreshPort } from './connection/token-refresh.ts';
import { Wake } from './connection/wake.ts';
import { Emitter } from './emitter.ts';
import type { ClientEvents } from './events.ts';
import { Transports, type TransportsPort } from './http/transports.ts';
import { Inflow } from './inflow.ts';
import { later } from './later.ts';
import { OfflineQueue, type OfflineQueuePort } from './offline-queue.ts';
import { absoluteUrl, backoffOptions, type ClientOptions } from './options.ts';
import { OwnPublications } from './own-publications.ts';
import { readPayload } from './payload.ts';
import { PendingCommands, type ReplyTo } from './pending-commands.ts';
import { checkedCommand } from './requests.ts';
import { platformRuntime, type Runtime, type Socket, socketFactory } from './runtime.ts';
import type { ClientStats } from './status.ts';
import type { LocalSubscription } from './subscriptions/local-subscription.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import type { SubscriptionsPort } from './subscriptions/wires.ts';
import { Timer } from './timer.ts';
import { clientVersion } from './version.ts';
import { protobufCodec } from './wire/protobuf.ts';
import { replyKinds } from './wire/tables.ts';

/** Why no WebSocket opens. A network that does not have this code has no gateway either. */
export const inquiring = later(() => import('./connection/inquiry.ts'));
/** Of applications whose tokens expire, and that said how to get another. */
export const refreshing = later(() => import('./connection/token-refresh.ts'));

type Counters = { -readonly [K in keyof ClientStats]: number };

/** Before the first greeting none is known; each publication is asked again when it is sent. */
const unknownLimits = { frameMaxBytes: unlimited, payloadMaxBytes: unlimited };

/** Builds the parts of a client, is what each of them reports to, and brings each frame to the one that it is for. */
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
  readonly events = new Emitter<ClientEvents>((fault, event) => this.#listenerFailed(fault, event));
  readonly transports: Transports;
  readonly connection: Connection;
  readonly commands: PendingCommands;
  readonly subscriptions: Subscriptions;
  readonly queue: OfflineQueue;
  readonly clock: ServerClock;
  readonly arrivals = new Arrivals();
  readonly own = new OwnPublications();
  readonly stats: Counters = {
    connects: 0,
    disconnects: 0,
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    publications: 0,
    gaps: 0,
  };
  greeting: Greeting | undefined;
  connectedAtMs: number | undefined;
  lastChange: StateChange = { state: 'idle', previous: 'idle', attempts: 0 };
  /** Of the latest greeting: they hold until the next one. */
  limits: Pick<Limits, keyof typeof unknownLimits> = unknownLimits;
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
    const { runtime = platformRuntime(), token, connectTimeoutMs = 10_000 } = options;
    this.runtime = runtime;
    this.#url = absoluteUrl(url);
    this.#options = options;
    const { client: clientName = `sluice-js/${clientVersion}` } = checkedCommand('connect', {
      client: options.clientName,
    });
    this.clock = new ServerClock(runtime);
    this.commands = new PendingCommands(
      runtime,
      options.commandTimeoutMs,
      (frame) => this.#send(frame),
      replyKinds,
    );
    this.#backoff = new Backoff(backoffOptions(options), () => runtime.random());
    this.transports = new Transports(options, this);
    this.connection = new Connection(
      {
        url: this.#url,
        token,
        clientName,
        capabilities: ['dictionary', 'acks'],
        connectTimeoutMs,
      },
      { codec: protobufCodec, open: (...opening) => this.transports.open(...opening), runtime },
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
   * Begins to connect. Where the attempts are limited, settles with the end of all; otherwise with the first
   * one's.
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

  openWebSocket(url: string, protocol: string): Socket {
    return socketFactory(this.#options.WebSocket)(url, protocol);
  }

  greeted({ timeMs }: Greeting): void {
    this.clock.greeted(timeMs);
  }

  connected(greeting: Greeting): void {
    this.greeting = greeting;
    this.limits = greeting.limits;
    this.connectedAtMs = this.runtime.now();
    this.stats.connects++;
    this.commands.open();
    this.subscriptions.connected();
    this.queue.connected();
    this.#heartbeat.start();
    this.#planRefresh(greeting.expiresMs, greeting.timeMs);
    this.events.emit('degraded', Boolean(greeting.degraded));
  }

  disconnected(closed: ClosedBy): void {
    this.greeting = undefined;
    this.connectedAtMs = undefined;
    this.stats.disconnects++;
    this.#heartbeat.stop();
    this.#refresh?.stop();
    this.#inflow.clear();
    this.commands.disconnected();
    this.subscriptions.disconnected();
    this.queue.disconnected();
    this.events.emit('disconnect', closed);
  }

  state(change: StateChange): void {
    const { state, error = localError('closed') } = change;
    this.lastChange = change;
    if (state === 'closed') {
      this.#wake.stop();
      this.arrivals.failed(error);
      this.commands.rejectWaiting(error);
      this.queue.rejectAll(error);
    } else this.#wake.start();
    const arrived = state === 'connected' ? this.greeting : undefined;
    if (arrived) this.arrivals.arrived(arrived);
    this.events.emit('state', change);
    if (arrived && this.greeting) this.events.emit('connect', this.greeting);
    if (state === 'closed' && change.error) this.report(error);
  }

  failed(error: ClientError): void {
    this.transports.failed(error);
  }

  attemptFailed(error: ClientError): void {
    if (!this.#backoff.ends) this.arrivals.failed(error);
  }

  /** The next attempt is planned before it is known why; where none follows, `closed` is to have the reason. */
  unopened(error: ClientError): void {
    const { connection, runtime } = this;
    const isLastAttempt = this.#backoff.isOver;
    if (!isLastAttempt) connection.toReconnecting(error);
    const { run } = connection;
    inquiring.use(
      ({ inquire }) =>
        void inquire(connection, this, { url: this.#url, runtime, isLastAttempt, error, errorOf }),
      (cause) => {
        if (run !== connection.run) return;
        const reason = localError('gateway_unreachable', undefined, cause);
        if (isLastAttempt) connection.failed(reason);
        else this.attemptFailed(reason);
      },
    );
  }

  beat(pulse: Pulse): void {
    this.clock.observe(pulse);
    this.events.emit('roundTrip', pulse.roundTripMs);
  }

  dead(): void {
    this.transports.silent();
    this.connection.abandon(localError('heartbeat_timeout'));
  }

  /** By the gateway's clock. */
  #planRefresh(expiresMs: number | undefined, nowMs: number): void {
    const { greeting, runtime } = this;
    const { token } = this.#options;
    if (!expiresMs || typeof token !== 'function') return;
    refreshing.use(
      ({ TokenRefresh }) => {
        if (greeting !== this.greeting) return;
        this.#refresh ??= new TokenRefresh(
          token,
          new Timer(runtime),
          new Backoff({}, () => runtime.random()),
          this,
        );
        this.#refresh.plan(expiresMs, nowMs);
      },
      (cause) => this.report(localError('code_unavailable', undefined, cause)),
    );
  }

  tokenFailed(message: string | undefined, cause: unknown): void {
    this.report(localError('token_failed', message, cause));
  }

  // -- frames -----------------------------------------------------------------------------------------

  /**
   * Rejects where it can't be sent; sent again while the gateway limits the rate, within the command's timeout.
   */
  async request<K extends CommandKind>(
    kind: K,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<ReplyTo<K>> {
    if (this.connection.state === 'closed') throw localError('closed');
    return this.commands.request(kind, checkedCommand(kind, fields));
  }

  /** Throws where the gateway would close the connection for it. */
  #send(frame: ClientFrame): void {
    const message = protobufCodec.encode(frame);
    const bytes = message.byteLength;
    if (bytes > this.limits.frameMaxBytes) throw this.#tooLarge();
    this.stats.framesSent++;
    this.stats.bytesSent += bytes;
    this.connection.send(frame, message);
  }

  /** How many bytes the command has at most. */
  bytesOf<K extends CommandKind>(kind: K, fields: Commands[K]): number {
    return protobufCodec.encode({ kind, id: maxUint32, ...fields } as unknown as ClientFrame).byteLength;
  }

  problem(fields: PublishFields): ClientError | undefined {
    const { payloadMaxBytes, frameMaxBytes } = this.limits;
    if (fields.payload.bytes.byteLength > payloadMaxBytes)
      return ownError('payload_too_large', `over ${payloadMaxBytes} bytes`);
    const bytes = this.bytesOf('publish', { ...fields, except: longestSession });
    return bytes > frameMaxBytes ? this.#tooLarge() : undefined;
  }

  #tooLarge(): ClientError {
    return ownError('frame_too_large', `over ${this.limits.frameMaxBytes} bytes`);
  }

  /** A publication that the queue did not know the place of has one now, or none. */
  settled(): void {
    this.subscriptions.flush();
  }

  frame(frame: ServerFrame, message: unknown): void {
    this.stats.framesReceived++;
    this.stats.bytesReceived += lengthOf(message);
    this.#heartbeat.heard();
    this.#inflow.take(frame);
  }

  #handle(frame: ServerFrame): void {
    if (this.commands.resolve(frame)) return;
    switch (frame.kind) {
      case 'goingAway':
        this.connection.goingAway(frame.reconnectDelayMs);
        break;
      case 'tokenExpiring':
        // A device that slept has missed its own time for it.
        this.#planRefresh(frame.expiresMs, frame.expiresMs);
        break;
      case 'gatewayState':
        this.events.emit('degraded', frame.degraded);
        break;
      case 'message':
        // Its gateway has looked that it is JSON.
        this.events.emit('message', { type: frame.type, data: readPayload(frame.payload) });
        break;
      case 'error':
        this.report(new ClientError(frame));
        break;
      default:
        this.subscriptions.push(frame);
    }
  }

  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(subscription: LocalSubscription): void {
    subscription.isHeard = () => this.events.hears('publication');
    subscription.on('publication', (...args) => void this.events.emit('publication', ...args));
  }

  // -- errors -----------------------------------------------------------------------------------------

  report(error: ClientError): void {
    if (!this.events.emit('error', error)) console.error(error);
  }

  #listenerFailed(fault: unknown, event: keyof ClientEvents): void {
    const error = localError('listener_failed', `listener to ${event} failed`, fault);
    // Telling the listeners to errors that one of them threw would go round in circles.
    if (event === 'error') console.error(error);
    else this.report(error);
  }
}

function errorOf(error: Refusal['error']): ClientError {
  if (error.number === undefined) return localError(error.code, error.message, error.cause);
  return new ClientError(error);
}

/** Of a text in characters, of anything else in bytes. */
function lengthOf(message: unknown): number {
  const { byteLength, length = 0 } = message as { readonly byteLength?: number; readonly length?: number };
  return byteLength ?? length;
}

/** Longer than the id of any session: the frame of a publish with `exceptSelf` holds one. */
const longestSession = 'x'.repeat(64);
