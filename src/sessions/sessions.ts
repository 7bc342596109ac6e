import { credentialNeeded } from '../auth/authorize.ts';
import type { Identity } from '../auth/identity.ts';
import type { Refused } from '../auth/refusals.ts';
import { type CloseCode, SluiceError } from '../errors.ts';
import type { ErrorLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Decoded } from '../protocol/codec.ts';
import type { ClientFrame, Limits, Reply } from '../protocol/frames.ts';
import type { HeldBytes } from './charges.ts';
import { CommandLimits } from './command-limits.ts';
import { type CommandOptions, commandTable, runCommand } from './commands.ts';
import type { Connection } from './connection.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { Intake } from './intake.ts';
import { OwnTopics } from './own-topics.ts';
import { type Peer, Session, type SessionContext } from './session.ts';
import { SessionIds } from './session-ids.ts';
import type { Subscriber, Unloaded } from './subscribe.ts';
import { Unauthenticated } from './unauthenticated.ts';
import { wireError, wireErrorOf } from './wire-error.ts';

export interface SessionsOptions {
  readonly connectionLimits: ConnectionLimits;
  readonly context: SessionContext;
  readonly subscriber: Subscriber;
  readonly commands: Omit<CommandOptions, 'greet' | 'identified' | 'refused' | 'repliedLarge' | 'subscriber'>;
  readonly limits: Limits;
  /** Messages that wait to be decoded. */
  readonly waitingMessages: HeldBytes;
  readonly version: string;
  readonly writeTimeoutMs: number;
  readonly backpressureTotalMaxBytes: number;
  readonly metrics: Pick<
    Metrics,
    'commandsTotal' | 'commandErrorsTotal' | 'rateLimitedTotal' | 'authFailuresTotal'
  > &
    Pick<Metrics, 'connections' | 'connectionsUnauthenticated' | 'subscriptions' | 'sessionsLagging'> &
    Pick<Metrics, 'backpressureBytes' | 'waitingMessageBytes' | 'onScrape'>;
  readonly log: ErrorLog;
  readonly refused: Refused;
}

/** All sessions of this gateway: opens them, hands them their commands, looks after the slow ones, and counts. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #commands: CommandOptions;
  readonly #byId = new Map<string, Session>();
  readonly #ids = new SessionIds();
  readonly #unauthenticated = new Unauthenticated();
  readonly #ownTopics: OwnTopics;
  readonly #limits: CommandLimits;
  readonly #intake: Intake;
  #emptied: (() => void) | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { subscriber, metrics } = options;
    this.#ownTopics = new OwnTopics(subscriber, (error, session) => this.#fault(error, session));
    this.#commands = {
      ...options.commands,
      subscriber: options.subscriber,
      greet: (session, id) => this.#greet(session, id),
      refused: (session, error) => this.#credentialRefused(session, error),
      identified: (session, identity) => this.#identified(session, identity),
      repliedLarge: (session, bytes) => this.#limits.replied(session, bytes),
    };
    const { turnBudget, monotonicMs, commandsPerSecond } = options.context;
    this.#limits = new CommandLimits(commandsPerSecond, monotonicMs);
    this.#intake = new Intake({
      turnBudget,
      held: options.waitingMessages,
      take: (session, message, isBinary) => this.#take(session, message, isBinary),
    });
    metrics.onScrape(() => this.#setGauges());
  }

  get count(): number {
    return this.#byId.size;
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Session> {
    return this.#byId.values();
  }

  /**
   * The place in `ConnectionLimits` has been taken; `close` gives it back. Greets the session. One that still has to authenticate joins
   * nothing before.
   */
  open(peer: Peer, connection: Connection): Session {
    const session = new Session(
      this.#ids.next(),
      peer,
      this.#options.commands.broker.wallMs(),
      connection,
      this.#options.context,
    );
    this.#byId.set(session.id, session);
    if (peer.identity.user !== undefined) this.#options.connectionLimits.enterAs(peer.identity.user);
    this.#greet(session, 0);
    if (isUnauthenticated(session)) this.#unauthenticated.add(session, this.#options.context.monotonicMs());
    else this.#ownTopics.join(session);
    return session;
  }

  /** Subscribes a new session to what the path of its connection named, and tells it: once it has authenticated. */
  subscribeAtOpening(session: Session, topic: string): void {
    const { subscriber } = this.#options;
    if (isUnauthenticated(session)) {
      this.#unauthenticated.subscribeLater(session, topic);
      return;
    }
    const proceed = (unloaded?: Unloaded) => {
      if (session.closed) return;
      const results = subscriber.subscribe(session, [{ topic }], unloaded);
      session.sendFrame({ kind: 'subscribed', id: 0, results });
      session.pump();
    };
    session.inOrder(() =>
      subscriber.needsLoad([{ topic }])
        ? subscriber.load([{ topic }]).then(
            (unloaded) => () => proceed(unloaded),
            (error) => () => this.#refused(session, [topic], error),
          )
        : proceed(),
    );
  }

  /** It gave a sign of life. */
  heard(session: Session): void {
    session.lastSeenMs = this.#options.commands.broker.wallMs();
  }

  /** The connection is gone. Answers why: by whose doing. */
  close(session: Session): CloseCode | 'client' {
    if (this.#byId.delete(session.id)) {
      session.dispose();
      this.#unauthenticated.remove(session);
      this.#ownTopics.forget(session);
      this.#options.connectionLimits.leave(session.peer.addressKey, isUnauthenticated(session));
      if (session.identity.user !== undefined) this.#options.connectionLimits.leaveAs(session.identity.user);
      if (this.#byId.size === 0) this.#emptied?.();
    }
    return session.endedBy ?? 'client';
  }

  /** A message of the client. Its bytes may die when this returns. */
  receive(session: Session, message: Uint8Array, isBinary: boolean): void {
    if (session.endedBy === 'too_many_commands') return;
    this.heard(session);
    if (isUnauthenticated(session) && this.#isIgnored(session, message.length)) return;
    const waitMs = this.#limits.take(session);
    if (waitMs > 0) this.#refuse(session, message, isBinary, rateLimited(waitMs));
    else if (!this.#intake.receive(session, message, isBinary))
      this.#refuse(session, message, isBinary, tooManyWaiting());
  }

  /** Answers a command without decoding it. */
  #refuse(session: Session, message: Uint8Array, isBinary: boolean, error: SluiceError): void {
    this.#options.metrics.rateLimitedTotal.inc({ scope: 'command' });
    if (this.#limits.refused(session)) {
      this.#fail(session, isBinary === session.codec.binary ? session.codec.peekId(message) : 0, error);
    } else session.end('too_many_commands');
  }

  #take(session: Session, message: Uint8Array, isBinary: boolean): void {
    const decoded = this.#limits.timed(session, () => this.#decode(session, message, isBinary));
    if (decoded.ok) {
      this.#run(session, decoded.frame, message.length);
    } else {
      this.#options.metrics.commandErrorsTotal.inc({ code: decoded.code });
      session.reply(decoded.id, { kind: 'error', ...wireErrorOf(decoded.code, decoded.message) });
      this.#endIfUnauthenticated(session);
    }
  }

  /** It has been ended, or is now, as it has sent too much before it authenticated. */
  #isIgnored(session: Session, bytes: number): boolean {
    if (this.#unauthenticated.received(session, bytes)) this.#endIfUnauthenticated(session);
    return session.endedBy !== undefined;
  }

  /** To be called when it was refused something for good: it is there to authenticate, and for nothing else. */
  #endIfUnauthenticated(session: Session): void {
    if (!isUnauthenticated(session) || session.endedBy !== undefined) return;
    // A bad credential has been told of.
    if (!session.introduced) this.#credentialRefused(session, credentialNeeded());
    this.end(session, 'unauthorized');
  }

  /** Resolves when all connections are gone; what is left after `graceMs` is cut. */
  async drained(graceMs: number): Promise<void> {
    if (this.#byId.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const session of [...this.#byId.values()]) session.terminate();
  }

  /** Call it about once a second: ends sessions that don't read, whose token has expired, and the fattest of too fat ones. */
  sweep(): void {
    const { writeTimeoutMs, context, connectionLimits, commands } = this.#options;
    const nowMs = context.monotonicMs();
    const timeMs = commands.broker.wallMs();
    connectionLimits.sweep();
    this.#limits.sweep();
    this.#ownTopics.retry();
    for (const session of this.#unauthenticated.overdue(nowMs)) this.#endIfUnauthenticated(session);
    let buffered = 0;
    for (const session of this.#byId.values()) {
      buffered += session.unsentBytes();
      const stuckSinceMs = session.stuckSinceMs();
      if (stuckSinceMs !== undefined && nowMs - stuckSinceMs >= writeTimeoutMs) session.terminate();
      else if ((session.identity.expiresAtMs ?? Number.POSITIVE_INFINITY) <= timeMs)
        this.end(session, 'unauthorized');
    }
    if (buffered > this.#options.backpressureTotalMaxBytes) this.#cutFattest(buffered);
  }

  end(session: Session, code: CloseCode): void {
    session.push({ kind: 'goingAway', reconnectDelayMs: 0, reason: code });
    session.end(code);
  }

  /** Tells everybody to come back within `spreadMs`, each at another time, and ends all connections. */
  endAll(spreadMs: number): void {
    for (const session of [...this.#byId.values()]) {
      session.push({
        kind: 'goingAway',
        reconnectDelayMs: Math.floor(Math.random() * spreadMs),
        reason: 'going_away',
      });
      session.end('going_away');
    }
  }

  #cutFattest(buffered: number): void {
    const fattest = [...this.#byId.values()].sort((a, b) => b.unsentBytes() - a.unsentBytes());
    let rest = buffered;
    for (const session of fattest) {
      if (rest <= this.#options.backpressureTotalMaxBytes) return;
      rest -= session.unsentBytes();
      session.terminate();
    }
  }

  #decode({ codec }: Session, message: Uint8Array, isBinary: boolean): Decoded<ClientFrame> {
    const { frameMaxBytes } = this.#options.limits;
    if (message.length > frameMaxBytes) {
      return {
        ok: false,
        id: 0,
        code: 'frame_too_large',
        message: `a message has at most ${frameMaxBytes} bytes`,
      };
    }
    if (isBinary !== codec.binary) {
      const expected = codec.binary ? 'binary' : 'text';
      return {
        ok: false,
        id: 0,
        code: 'invalid_frame',
        message: `${codec.subprotocol} takes ${expected} messages`,
      };
    }
    return codec.decodeClientFrame(message);
  }

  /** `bytes`: of its message. */
  #run(session: Session, frame: ClientFrame, bytes: number): void {
    this.#options.metrics.commandsTotal.inc({ command: frame.kind });
    const { order } = commandTable[frame.kind];
    if (order === 'changes') {
      // What waited for its turn may come after the end of the session: nothing is to be taken up then.
      const run = () => (session.closed ? undefined : this.#answer(session, frame));
      if (!session.inOrder(run, bytes)) this.#fail(session, frame.id, tooManyWaiting());
    } else if (order === 'follows' && session.isBusy) {
      const kept = lasting(frame);
      if (!session.inOrder(() => this.#begin(session, kept), bytes))
        this.#fail(session, frame.id, tooManyWaiting());
    } else this.#begin(session, frame);
  }

  /** A command that no other waits for. */
  #begin(session: Session, frame: ClientFrame): void {
    const run = () => this.#answer(session, frame)?.then((finish) => finish());
    if (!commandTable[frame.kind].isLarge) void run();
    else if (!session.replyLarge(run)) this.#fail(session, frame.id, tooManyWaiting());
  }

  /** Exactly one reply or error to each command: now, or when that runs which this resolves to. */
  #answer(session: Session, frame: ClientFrame): void | Promise<() => void> {
    if (isUnauthenticated(session) && frame.kind !== 'connect' && frame.kind !== 'ping') {
      this.#fail(session, frame.id, credentialNeeded());
      return undefined;
    }
    let waiting: Promise<() => void> | undefined;
    this.#reply(session, frame.id, () => {
      const answer = this.#limits.timed(session, () => runCommand(session, frame, this.#commands));
      if (!(answer instanceof Promise)) return answer;
      waiting = answer.then(
        (rest) => () => this.#reply(session, frame.id, () => (typeof rest === 'function' ? rest() : rest)),
        (error: unknown) => () => this.#fail(session, frame.id, error),
      );
      return undefined;
    });
    return waiting;
  }

  #reply(session: Session, id: number, run: () => Reply | undefined): void {
    try {
      const reply = run();
      if (reply !== undefined) session.reply(id, reply);
    } catch (error) {
      this.#fail(session, id, error);
    }
  }

  #fail(session: Session, id: number, error: unknown): void {
    const wire = wireError(error);
    if (!(error instanceof SluiceError)) this.#fault(error, session);
    this.#options.metrics.commandErrorsTotal.inc({ code: wire.code });
    session.reply(id, { kind: 'error', ...wire });
    if (!wire.retry) this.#endIfUnauthenticated(session);
  }

  #fault(error: unknown, session: Session): void {
    this.#options.log.error({ err: error, session: session.id }, 'a command failed');
  }

  /** Its credential was refused, or it had none where one is needed. */
  #credentialRefused({ peer }: Session, error: SluiceError): void {
    this.#options.metrics.authFailuresTotal.inc({ reason: error.code });
    this.#options.refused('connect', error, { address: peer.address, origin: '' });
  }

  #setGauges(): void {
    const { metrics, waitingMessages } = this.#options;
    let lagging = 0;
    let unsentBytes = 0;
    let subscriptions = 0;
    for (const session of this.#byId.values()) {
      if (session.isLagging) lagging++;
      unsentBytes += session.unsentBytes();
      subscriptions += session.views.size;
    }
    metrics.connections.set({ transport: 'websocket' }, this.#byId.size);
    metrics.connectionsUnauthenticated.set(this.#unauthenticated.size);
    metrics.sessionsLagging.set(lagging);
    metrics.backpressureBytes.set(unsentBytes);
    metrics.waitingMessageBytes.set(waitingMessages.total);
    metrics.subscriptions.set(subscriptions);
  }

  #greet(session: Session, id: number): void {
    session.sendFrame({
      kind: 'connected',
      id,
      session: session.id,
      timeMs: this.#options.commands.broker.wallMs(),
      version: this.#options.version,
      user: session.identity.user,
      limits: this.#options.limits,
      expiresMs: session.identity.expiresAtMs,
    });
  }

  #identified(session: Session, identity: Identity): void {
    // It ended while the token was looked at, and has given its places back.
    if (session.closed) return;
    const { connectionLimits } = this.#options;
    const before = session.identity;
    const isNew = before.unauthenticated === true;
    const isOther = identity.user !== before.user;
    if (isOther && identity.user !== undefined) {
      const problem = connectionLimits.userProblem(identity.user);
      if (problem !== undefined) throw problem;
    }
    if (isNew) {
      const problem = connectionLimits.authenticate(session.peer.addressKey);
      if (problem !== undefined) throw problem;
    }
    if (isOther && identity.user !== undefined) connectionLimits.enterAs(identity.user);
    if (isOther && before.user !== undefined) connectionLimits.leaveAs(before.user);
    session.identity = identity;
    this.#options.subscriber.endForbidden(session);
    if (isNew || isOther) this.#ownTopics.join(session);
    const topic = this.#unauthenticated.remove(session);
    if (topic !== undefined) this.subscribeAtOpening(session, topic);
  }

  /** Tells a session what it was to be subscribed to and could not be. */
  #refused(session: Session, topics: readonly string[], error: unknown): void {
    if (!(error instanceof SluiceError)) this.#fault(error, session);
    session.push({
      kind: 'subscribed',
      results: topics.map((topic) => ({ topic, error: wireError(error) })),
    });
  }
}

function isUnauthenticated({ identity }: Session): boolean {
  return identity.unauthenticated === true;
}

function rateLimited(retryAfterMs: number): SluiceError {
  return new SluiceError('rate_limited', undefined, { retryAfterMs });
}

function tooManyWaiting(): SluiceError {
  return new SluiceError('rate_limited', 'too many commands wait, or too large ones', {
    retryAfterMs: waitingRetryMs,
  });
}

const waitingRetryMs = 1000;

/** A command that is begun in a later turn: the bytes of its message die with this one. */
function lasting(frame: ClientFrame): ClientFrame {
  if (frame.kind !== 'publish') return frame;
  const { format, bytes } = frame.payload;
  return { ...frame, payload: { format, bytes: bytes.slice() } };
}
