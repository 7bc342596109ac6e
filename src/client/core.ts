import type { ClientFrame, ServerFrame, ServerKinds } from '../protocol/frames.ts';
import { protobufCodec } from '../protocol/protobuf.ts';
import type { Greeting } from './attempt.ts';
import { Backoff } from './backoff.ts';
import { ClientError, localError } from './client-error.ts';
import type { ClientEvents, ClientStats } from './client-types.ts';
import type { ClosedBy } from './closing.ts';
import { type Outcome, PendingCommands } from './commands.ts';
import { Connection, type StateChange } from './connection.ts';
import { Emitter } from './emitter.ts';
import { Heartbeat } from './heartbeat.ts';
import { OfflineQueue } from './offline-queue.ts';
import { absoluteUrl, type ClientOptions } from './options.ts';
import { readPayload } from './payload.ts';
import { platformRuntime, type Runtime, socketFactory } from './runtime.ts';
import { ServerClock } from './server-clock.ts';
import { Subscriptions } from './subscriptions.ts';
import { TokenRefresh } from './token-refresh.ts';

type Counters = { -readonly [K in keyof ClientStats]: number };

/** Builds the parts of a client, connects them and brings each frame to the one that it is for. */
export class Core {
  readonly events: Emitter<ClientEvents>;
  readonly connection: Connection;
  readonly commands: PendingCommands;
  readonly subscriptions: Subscriptions;
  readonly queue: OfflineQueue;
  readonly clock = new ServerClock();
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
  readonly #refresh: TokenRefresh;

  constructor(url: string, options: ClientOptions) {
    const runtime = options.runtime ?? platformRuntime();
    this.#runtime = runtime;
    this.events = new Emitter((fault, event) => this.#listenerFailed(fault, event));
    this.commands = new PendingCommands(runtime, options.commandTimeoutMs ?? 10_000, (frame) =>
      this.#send(frame),
    );
    this.connection = this.#makeConnection(url, options);
    this.subscriptions = this.#makeSubscriptions();
    this.queue = new OfflineQueue(options.offlineQueue ?? {}, runtime, (fields, settle) =>
      this.commands.send('publish', fields, settle),
    );
    this.#heartbeat = this.#makeHeartbeat(options);
    this.#refresh = new TokenRefresh(options.token, runtime, {
      send: (token) => this.commands.request('refresh', { token }),
      report: (error) => this.#report(error),
    });
  }

  // -- building ---------------------------------------------------------------------------------------------------

  #makeConnection(url: string, options: ClientOptions): Connection {
    const backoff = options.reconnect === false ? { maxAttempts: 0 } : (options.reconnect ?? {});
    const runtime = this.#runtime;
    return new Connection(
      {
        url: absoluteUrl(url),
        token: options.token,
        clientName: options.clientName ?? 'sluice-js/0.1.0',
        capabilities: ['dictionary'],
        connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
        stableAfterMs: 5_000,
      },
      { codec: protobufCodec, open: socketFactory(options.WebSocket), runtime },
      new Backoff(backoff, runtime.random),
      {
        frame: (frame, bytes) => this.#received(frame, bytes),
        greeted: (greeting) => this.clock.greeted(greeting.timeMs, runtime.now()),
        connected: (greeting) => this.#connected(greeting),
        disconnected: (closed) => this.#disconnected(closed),
        state: (change) => this.#changed(change),
        error: (error) => this.#report(error),
      },
    );
  }

  #makeSubscriptions(): Subscriptions {
    return new Subscriptions({
      commands: this.commands,
      runtime: this.#runtime,
      abandon: (error) => this.connection.abandon(error),
      report: (error) => this.#report(error),
      serverMade: (subscription) => {
        subscription.on('publication', (...args) => void this.events.emit('publication', ...args));
      },
      count: (what, many) => {
        this.stats[what] += many;
      },
    });
  }

  #makeHeartbeat(options: ClientOptions): Heartbeat {
    return new Heartbeat(options.heartbeat ?? {}, this.#runtime, {
      ping: (roundTripMs, timeoutMs, done) => {
        const settle = (outcome: Outcome<'ping'>): void =>
          done(outcome.ok ? outcome.reply.timeMs : undefined);
        this.commands.send('ping', { roundTripMs }, settle, timeoutMs);
      },
      beat: (pulse) => {
        this.clock.observe(pulse);
        this.events.emit('roundTrip', pulse.roundTripMs);
      },
      dead: () => this.connection.abandon(localError('heartbeat_timeout')),
    });
  }

  // -- the connection ---------------------------------------------------------------------------------------------

  #connected(greeting: Greeting): void {
    this.greeting = greeting;
    this.connectedAtMs = this.#runtime.now();
    this.stats.connects++;
    this.commands.open();
    this.subscriptions.connected();
    this.queue.connected();
    this.#heartbeat.start();
    this.#refresh.plan(greeting.expiresMs, greeting.timeMs);
  }

  #disconnected(closed: ClosedBy): void {
    this.greeting = undefined;
    this.connectedAtMs = undefined;
    this.stats.disconnects++;
    this.#heartbeat.stop();
    this.#refresh.stop();
    this.commands.disconnected(localError('disconnected'));
    this.subscriptions.disconnected();
    this.queue.disconnected();
    this.events.emit('disconnect', closed);
  }

  #changed(change: StateChange): void {
    this.lastChange = change;
    if (change.state === 'closed') {
      const error = change.error ?? localError('closed');
      this.commands.rejectWaiting(error);
      this.queue.rejectAll(error);
    }
    this.events.emit('state', change);
    if (change.state === 'connected' && this.greeting) this.events.emit('connect', this.greeting);
    if (change.state === 'closed' && change.error) this.#report(change.error);
  }

  #send(frame: ClientFrame): void {
    const message = protobufCodec.encodeClientFrame(frame);
    this.stats.framesSent++;
    this.stats.bytesSent += message.byteLength;
    this.connection.send(message);
  }

  // -- frames -----------------------------------------------------------------------------------------------------

  #received(frame: ServerFrame, bytes: number): void {
    this.stats.framesReceived++;
    this.stats.bytesReceived += bytes;
    this.#heartbeat.heard();
    if (this.commands.resolve(frame)) return;
    switch (frame.kind) {
      case 'goingAway':
        this.connection.goingAway(frame.reconnectDelayMs);
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

  // -- errors -----------------------------------------------------------------------------------------------------

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
