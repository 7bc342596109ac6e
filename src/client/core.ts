import type { ClientFrame } from '../protocol/client-frames.ts';
import { maxUint32 } from '../protocol/fields.ts';
import type { Limits, PublishFields } from '../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../protocol/server-frames.ts';
import { ClientError, localError, ownError } from './client-error.ts';
import { Arrivals } from './connection/arrivals.ts';
import { Backoff } from './connection/backoff.ts';
import type { ClosedBy } from './connection/close-code.ts';
import { Connection, type ConnectionPort, type StateChange } from './connection/connection.ts';
import { Heartbeat } from './connection/heartbeat.ts';
import type { Refusal } from './connection/learn-refusal.ts';
import { ServerClock } from './connection/server-clock.ts';
import { checkedToken, type Greeting } from './connection/socket-session.ts';
import type { TokenRefresh } from './connection/token-refresh.ts';
import { Wake } from './connection/wake.ts';
import { Emitter } from './emitter.ts';
import type { ClientEvents } from './events.ts';
import { Transports } from './http/transports.ts';
import { Inflow } from './inflow.ts';
import { later } from './later.ts';
import { OfflineQueue } from './offline-queue.ts';
import { absoluteUrl, backoffOptions, type ClientOptions, transportsOptions } from './options.ts';
import { OwnPublications } from './own-publications.ts';
import { readPayload } from './payload.ts';
import { PendingCommands } from './pending-commands.ts';
import { checkedCommand } from './requests.ts';
import { platformRuntime, type Runtime, socketFactory } from './runtime.ts';
import type { ClientStats } from './status.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import { Timer } from './timer.ts';
import { clientVersion } from './version.ts';
import { protobufCodec } from './wire/protobuf.ts';
import { replyKinds } from './wire/tables.ts';

/** Why no WebSocket opens. A network that does not have this code has no gateway either. */
export const inquiring = later(() => import('./connection/inquiry.ts'));
/** Of applications whose tokens expire, and that said how to get another. */
export const refreshing = later(() => import('./connection/token-refresh.ts'));

type Counters = { -readonly [K in keyof ClientStats]: number };

/** Builds the parts of a client, connects them and brings each frame to the one that it is for. */
export class Core {
  readonly events: Emitter<ClientEvents>;
  readonly transports: Transports;
  readonly connection: Connection;
  readonly commands: PendingCommands;
  readonly subscriptions: Subscriptions;
  readonly queue: OfflineQueue;
  readonly clock: ServerClock;
  readonly arrivals = new Arrivals();
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
  readonly #runtime: Runtime;
  readonly #heartbeat: Heartbeat;
  #refresh: TokenRefresh | undefined;
  readonly #token: ClientOptions['token'];
  readonly #wake: Wake;
  readonly #inflow = new Inflow(
    (frame) => this.#handle(frame),
    (cause) => this.connection.abandon(localError('code_unavailable', undefined, cause)),
  );
  readonly #own = new OwnPublications();
  readonly #backoff: Backoff;
  /** Of the latest greeting: they hold until the next one. */
  #limits: Limits | undefined;

  constructor(url: string, options: ClientOptions) {
    const runtime = options.runtime ?? platformRuntime();
    this.#runtime = runtime;
    this.clock = new ServerClock(runtime);
    this.events = new Emitter((fault, event) => this.#listenerFailed(fault, event));
    this.commands = new PendingCommands(
      runtime,
      options.commandTimeoutMs ?? 10_000,
      (frame) => this.#send(frame),
      replyKinds,
    );
    this.#backoff = new Backoff(backoffOptions(options), () => runtime.random());
    this.transports = new Transports(transportsOptions(options, runtime), {
      runtime,
      openWebSocket: (address, protocol) => socketFactory(options.WebSocket)(address, protocol),
      better: () => this.connection.abandon(),
    });
    this.connection = this.#makeConnection(absoluteUrl(url), options);
    this.subscriptions = this.#makeSubscriptions();
    this.queue = this.#makeQueue(options);
    this.#heartbeat = this.#makeHeartbeat(options);
    this.#token = options.token;
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

  // -- building ---------------------------------------------------------------------------------------

  #makeConnection(url: string, options: ClientOptions): Connection {
    const runtime = this.#runtime;
    return new Connection(
      {
        url,
        token: options.token,
        clientName:
          checkedCommand('connect', { client: options.clientName }).client ?? `sluice-js/${clientVersion}`,
        capabilities: ['dictionary', 'acks'],
        connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
        stableAfterMs: 5_000,
      },
      {
        codec: { ...protobufCodec, decode: (data) => (isFrame(data) ? data : protobufCodec.decode(data)) },
        open: (address, protocol, token) => this.transports.open(address, protocol, token),
        runtime,
        unopened: runtime.fetch && ((...unopened) => this.#unopened(url, ...unopened)),
      },
      this.#backoff,
      {
        frame: (frame, message) => this.#received(frame, message),
        greeted: (greeting) => this.clock.greeted(greeting.timeMs),
        connected: (greeting) => this.#connected(greeting),
        disconnected: (closed) => this.#disconnected(closed),
        state: (change) => this.#changed(change),
        error: (error) => this.#report(error),
        failed: (error) => this.transports.failed(error),
        attemptFailed: (error) => this.#attemptFailed(error),
      },
    );
  }

  #attemptFailed(error: ClientError): void {
    if (!this.#backoff.ends) this.arrivals.failed(error);
  }

  /** The next attempt is planned before it is known why; where none follows, `closed` is to have the reason. */
  #unopened(url: string, connection: Connection, error: ClientError, port: ConnectionPort): void {
    const isLastAttempt = this.#backoff.isOver;
    if (!isLastAttempt) connection.toReconnecting(error);
    const { run } = connection;
    const runtime = this.#runtime;
    inquiring.use(
      ({ inquire }) => void inquire(connection, port, { url, runtime, isLastAttempt, errorOf }),
      (cause) => {
        if (run !== connection.run) return;
        const reason = localError('gateway_unreachable', undefined, cause);
        if (isLastAttempt) connection.failed(reason);
        else port.attemptFailed(reason);
      },
    );
  }

  #makeQueue(options: ClientOptions): OfflineQueue {
    return new OfflineQueue(options.offlineQueue ?? {}, this.#runtime, {
      send: (fields, settle) => this.commands.send('publish', fields, settle),
      problem: (fields) => this.#sizeProblem(fields),
      session: () => this.greeting?.session,
      placed: (topic, { epoch, offset }) => this.#own.add({ topic, epoch, offset }),
      settled: () => this.subscriptions.subscribing.flush(),
    });
  }

  #makeSubscriptions(): Subscriptions {
    return new Subscriptions({
      commands: this.commands,
      runtime: this.#runtime,
      abandon: (error) => this.connection.abandon(error),
      report: (error) => this.#report(error),
      serverMade: (subscription) => {
        subscription.isHeard = () => this.events.hears('publication');
        subscription.on('publication', (...args) => void this.events.emit('publication', ...args));
      },
      count: (what, many) => {
        this.stats[what] += many;
      },
      frameMaxBytes: () => this.#limits?.frameMaxBytes ?? Number.POSITIVE_INFINITY,
      bytesOf: (subscription) => bytesOf({ kind: 'subscribe', id: maxUint32, subscriptions: [subscription] }),
      isOwn: (position) => this.#own.has(position),
      isUnsettled: (matches) => this.queue.isUnsettled(matches),
    });
  }

  #makeHeartbeat(options: ClientOptions): Heartbeat {
    return new Heartbeat(options.heartbeat ?? {}, this.#runtime, {
      commands: this.commands,
      beat: (pulse) => {
        this.clock.observe(pulse);
        this.events.emit('roundTrip', pulse.roundTripMs);
      },
      dead: () => {
        this.transports.silent();
        this.connection.abandon(localError('heartbeat_timeout'));
      },
    });
  }

  // -- the connection ---------------------------------------------------------------------------------

  #connected(greeting: Greeting): void {
    this.greeting = greeting;
    this.#limits = greeting.limits;
    this.connectedAtMs = this.#runtime.now();
    this.stats.connects++;
    this.commands.open();
    this.subscriptions.subscribing.connected();
    this.queue.connected();
    this.#heartbeat.start();
    this.#planRefresh(greeting.expiresMs, greeting.timeMs);
    this.events.emit('degraded', Boolean(greeting.degraded));
  }

  /** By the gateway's clock. */
  #planRefresh(expiresMs: number | undefined, nowMs: number): void {
    const token = this.#token;
    const runtime = this.#runtime;
    const { greeting } = this;
    if (!expiresMs || typeof token !== 'function') return;
    refreshing.use(
      ({ TokenRefresh }) => {
        if (greeting !== this.greeting) return;
        this.#refresh ??= new TokenRefresh({
          timer: new Timer(runtime),
          backoff: new Backoff({}, () => runtime.random()),
          monotonicMs: () => runtime.monotonicMs(),
          ask: async () => checkedToken(await token()),
          send: (fresh) => this.commands.request('refresh', checkedCommand('refresh', { token: fresh })),
          refreshed: () => this.subscriptions.subscribing.askRefused(),
          failed: (message, cause) => this.#report(localError('token_failed', message, cause)),
        });
        this.#refresh.plan(expiresMs, nowMs);
      },
      (cause) => this.#report(localError('code_unavailable', undefined, cause)),
    );
  }

  #disconnected(closed: ClosedBy): void {
    this.greeting = undefined;
    this.connectedAtMs = undefined;
    this.stats.disconnects++;
    this.#heartbeat.stop();
    this.#refresh?.stop();
    this.#inflow.clear();
    this.commands.disconnected(localError('disconnected'));
    this.subscriptions.disconnected();
    this.queue.disconnected();
    this.events.emit('disconnect', closed);
  }

  #changed(change: StateChange): void {
    const { state, error = localError('closed') } = change;
    this.lastChange = change;
    if (state === 'closed') {
      this.#wake.stop();
      this.arrivals.failed(error);
      this.commands.rejectWaiting(error);
      this.queue.rejectAll(error);
    } else this.#wake.start();
    if (state === 'connected' && this.greeting) this.arrivals.arrived(this.greeting);
    this.events.emit('state', change);
    if (state === 'connected' && this.greeting) this.events.emit('connect', this.greeting);
    if (state === 'closed' && change.error) this.#report(error);
  }

  /** Throws where the gateway would close the connection for it. */
  #send(frame: ClientFrame): void {
    const message = protobufCodec.encode(frame);
    if (this.#limits && message.byteLength > this.#limits.frameMaxBytes) throw tooLarge(this.#limits);
    this.stats.framesSent++;
    this.stats.bytesSent += message.byteLength;
    this.connection.send(frame, message);
  }

  /**
   * As far as the limits are known: before the first greeting they aren't, and it is asked again when it is
   * sent.
   */
  #sizeProblem(fields: PublishFields): ClientError | undefined {
    const limits = this.#limits;
    if (!limits) return undefined;
    if (fields.payload.bytes.byteLength > limits.payloadMaxBytes) {
      return ownError('payload_too_large', `A payload has at most ${limits.payloadMaxBytes} bytes.`);
    }
    const bytes = bytesOf({ kind: 'publish', id: maxUint32, ...fields, except: longestSession });
    return bytes > limits.frameMaxBytes ? tooLarge(limits) : undefined;
  }

  // -- frames -----------------------------------------------------------------------------------------

  #received(frame: ServerFrame, message: unknown): void {
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
        this.#message(frame);
        break;
      case 'error':
        this.#report(new ClientError(frame));
        break;
      default:
        this.subscriptions.push(frame);
    }
  }

  #message(frame: ServerKinds['message']): void {
    try {
      this.events.emit('message', { type: frame.type, data: readPayload(frame.payload) });
    } catch (cause) {
      this.#report(localError('invalid_message', `The message ${frame.type} is not JSON.`, cause));
    }
  }

  // -- errors -----------------------------------------------------------------------------------------

  #report(error: ClientError): void {
    if (!this.events.emit('error', error)) console.error(error);
  }

  #listenerFailed(fault: unknown, event: keyof ClientEvents): void {
    const error = localError('listener_failed', `A listener to ${event} threw.`, fault);
    // Telling the listeners to errors that one of them threw would go round in circles.
    if (event === 'error') console.error(error);
    else this.#report(error);
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

function bytesOf(frame: ClientFrame): number {
  return protobufCodec.encode(frame).byteLength;
}

/** What a `FrameSocket` gives. Throws where the data are no object: then they are no message either. */
function isFrame(data: unknown): data is ServerFrame {
  return 'kind' in (data as object);
}

function tooLarge({ frameMaxBytes }: Limits): ClientError {
  return ownError('frame_too_large', `A message has at most ${frameMaxBytes} bytes.`);
}
