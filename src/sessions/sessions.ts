import type { Identity } from '../auth/identity.ts';
import type { ReportRefusal } from '../auth/refusals.ts';
import type { CloseCode, SluiceError } from '../errors.ts';
import type { ErrorLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Ack, Limits, SubscribeResult, Subscription } from '../protocol/frames.ts';
import type { ConnectionLimits } from './admission/connection-limits.ts';
import type { ConnectionEnded } from './admission/connection-log.ts';
import { isUnauthenticated } from './admission/unauthenticated.ts';
import type { CommandOptions } from './commands/command.ts';
import { CommandRunner, type CommandRunnerOptions } from './commands/command-runner.ts';
import type { Connection } from './connection.ts';
import type { HeldByPayers, HeldBytes } from './limits/charges.ts';
import { commandRate, refusalRate } from './limits/command-limits.ts';
import type { Peer } from './peer.ts';
import { Session, type SessionContext } from './session.ts';
import { SessionIds } from './session-ids.ts';
import { type SessionSweepOptions, sweepSessions } from './session-sweep.ts';
import { OpeningSubscriptions } from './subscriptions/opening-subscriptions.ts';
import { OwnTopics } from './subscriptions/own-topics.ts';
import type { Continuation } from './subscriptions/stream-start.ts';
import type { Subscriber } from './subscriptions/subscribe.ts';
import { SessionIdentities, type SessionIdentitiesOptions } from './users/session-identities.ts';
import type { UserSessions } from './users/user-sessions.ts';

export interface SessionsOptions
  extends Pick<SessionSweepOptions, 'writeTimeoutMs' | 'backpressureTotalMaxBytes'> {
  readonly connectionLimits: ConnectionLimits;
  readonly context: Omit<SessionContext, 'originMs' | 'commandFailed' | 'commandRate' | 'refusalRate'>;
  readonly subscriber: Subscriber;
  readonly commands: Omit<CommandOptions, 'identities' | 'repliedLarge' | 'timed' | 'subscriber'>;
  readonly limits: Limits;
  /** Messages that wait to be decoded. */
  readonly waitingMessages: HeldByPayers;
  /** Commands that wait for those before them, for the engine or for the application. */
  readonly pendingCommands: HeldBytes;
  /** The clock by which payers are charged for the time of their commands. */
  readonly workMs: () => number;
  readonly version: string;
  readonly metrics: CommandRunnerOptions['metrics'] &
    SessionIdentitiesOptions['metrics'] &
    Pick<Metrics, 'connectionsUnauthenticated' | 'subscriptions' | 'sessionsLagging'> &
    Pick<Metrics, 'backpressureBytes' | 'waitingMessageBytes' | 'pendingCommandBytes' | 'onScrape'>;
  readonly log: ErrorLog;
  readonly refused: ReportRefusal;
  /** Told of each connection that has ended, with its subscriptions still counted. */
  readonly ended?: ConnectionEnded;
  /** Told of each session that begins and that is gone. */
  readonly observer?: { opened(session: Session): void; closed(session: Session): void };
}

/** All sessions of this gateway: opens, ends and counts them, and looks after the slow ones. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #context: SessionContext;
  readonly #byId = new Map<string, Session>();
  readonly #ids = new SessionIds();
  readonly #identities: SessionIdentities;
  readonly #opening: OpeningSubscriptions;
  readonly #runner: CommandRunner;
  #emptied: (() => void) | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { subscriber, metrics, log, waitingMessages, pendingCommands, context } = options;
    const { commandsPerSecond } = options.limits;
    const fault = (error: unknown, session: Session) =>
      log.error({ err: error, session: session.id }, 'a command failed');
    this.#context = {
      ...context,
      originMs: options.commands.broker.wallMs(),
      commandRate: commandRate(commandsPerSecond),
      refusalRate: refusalRate(commandsPerSecond),
      commandFailed: fault,
    };
    const timed = (session: Session, run: () => void) => this.#runner.timed(session, run);
    this.#opening = new OpeningSubscriptions({ subscriber, fault, timed });
    this.#identities = new SessionIdentities({
      broker: options.commands.broker,
      ownTopics: new OwnTopics(subscriber, fault),
      opening: this.#opening,
      endForbidden: (session) => subscriber.endForbidden(session),
      report: context.report,
      limits: options.limits,
      version: options.version,
      refused: options.refused,
      metrics,
      monotonicMs: context.monotonicMs,
      turnBudget: context.turnBudget,
    });
    this.#runner = new CommandRunner({
      commands: { ...options.commands, subscriber, identities: this.#identities },
      frameMaxBytes: options.limits.frameMaxBytes,
      commandsPerSecond,
      waitingMessages,
      pendingCommands,
      turnBudget: context.turnBudget,
      turn: context.turn,
      arrival: { nowMs: context.monotonicMs, sinceMs: () => context.turn.sinceMs },
      workMs: options.workMs,
      limited: ({ id, identity: { user, apiKey }, peer: { address } }, error) =>
        options.refused('command', error, { address, origin: '', session: id, user, key: apiKey }),
      metrics,
      log,
    });
    metrics.onScrape(() => this.#setGauges());
  }

  /** Reads the rate of commands again, also for open sessions. */
  reload(): void {
    const { commandsPerSecond } = this.#options.limits;
    this.#context.commandRate.limit(commandRate(commandsPerSecond));
    this.#context.refusalRate.limit(refusalRate(commandsPerSecond));
    this.#runner.limit(commandsPerSecond);
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

  get users(): Pick<UserSessions, 'of' | 'names' | 'size'> {
    return this.#identities.users;
  }

  /**
   * Begins a session and greets it. `close` gives the peer's seat back. A session joins nothing before it has
   * authenticated. `continuation`: set if the client of a stream had another session before.
   */
  open(peer: Peer, connection: Connection, continuation?: Continuation): Session {
    const session = new Session(
      this.#ids.next(),
      continuation === undefined ? peer : { ...peer, formerSession: continuation.formerSession },
      this.#options.commands.broker.wallMs(),
      connection,
      this.#context,
    );
    this.#byId.set(session.id, session);
    this.#options.observer?.opened(session);
    this.#identities.opened(session, continuation?.cursor);
    return session;
  }

  /** Subscribes a new session to the topic of its path, once it has authenticated, and tells it. */
  subscribeAtOpening(session: Session, topic: string): void {
    this.#identities.subscribeAtOpening(session, topic);
  }

  /**
   * Subscribes the session of a stream, which has no commands. Calls `finish` with the results, or with the error,
   * unless the session has ended meanwhile, or is to end: it has no cursor yet that its client could continue with.
   * `finish` tells the client, and then pumps the session. `timed`: runs each part of the work, to charge its time.
   */
  subscribeStream(
    session: Session,
    subscriptions: readonly Subscription[],
    timed: (run: () => void) => void,
    finish: (results: readonly SubscribeResult[] | SluiceError) => void,
  ): void {
    this.#opening.subscribe(session, subscriptions, timed, finish);
  }

  /** A message or pong has come. */
  heard(session: Session): void {
    session.heard(this.#options.commands.broker.wallMs());
  }

  /**
   * The client sent a ping or pong. Each counts as a refused command, so that a client that sends thousands is ended.
   */
  controlled(session: Session): void {
    this.heard(session);
    if (!session.takeRefusal(this.#context.monotonicMs())) session.end('too_many_commands');
  }

  /** Everything that it was sent has arrived. */
  received(session: Session): void {
    this.#options.commands.inbox.received(session);
  }

  /**
   * The client of a session says by another request what it has had, as by a command. `user`: whose session it has to
   * be; undefined: anyone's. Returns undefined where there is none, 0 where it was heard, or in how many milliseconds
   * it may say so again.
   */
  acknowledge(id: string, acks: readonly Ack[], user: string | undefined): number | undefined {
    const session = this.#byId.get(id);
    if (session === undefined || (user !== undefined && session.shownUser !== user)) return undefined;
    const waitMs = session.takeCommand(this.#context.monotonicMs());
    if (waitMs === 0) this.#options.commands.inbox.acknowledge(session, acks);
    return waitMs;
  }

  /** The connection is gone. Returns why the gateway ended it, or `client`. `code`: the close code of a WebSocket. */
  close(session: Session, code?: number): CloseCode | 'client' {
    if (this.#byId.delete(session.id)) {
      this.#options.ended?.(session, code);
      session.dispose();
      this.#options.observer?.closed(session);
      this.#identities.closed(session);
      if (this.#byId.size === 0) this.#emptied?.();
    }
    return session.endedBy ?? 'client';
  }

  /** A message of the client. Its bytes may die when this returns. */
  receive(session: Session, message: Uint8Array, isBinary: boolean): void {
    if (session.isLeaving || session.endedBy === 'too_many_commands') return;
    this.heard(session);
    if (this.#identities.isIgnored(session, message.length)) return;
    this.#runner.receive(session, message, isBinary);
  }

  /** Resolves when all connections are gone. Those that are left after `graceMs` are terminated. */
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

  /** Looks after slow sessions, credentials that expire, and what is tried again. Call it about once a second. */
  sweep(): void {
    const { context, connectionLimits, commands } = this.#options;
    connectionLimits.sweep();
    this.#runner.sweep();
    this.#identities.sweep();
    sweepSessions(this, { ...this.#options, ...context, wallMs: () => commands.broker.wallMs() });
  }

  /**
   * Permissions have changed: ends the sessions of identities that are `out`, and the subscriptions that others may no
   * longer have, in as many turns of the event loop as it takes.
   */
  reauthorize(out: (identity: Identity) => boolean): void {
    const authenticated = [...this.#byId.values()].filter((session) => !isUnauthenticated(session));
    this.sendAway(
      authenticated.filter(({ identity }) => out(identity)),
      'unauthorized',
    );
    this.#context.turnBudget.each(authenticated, (session) => {
      if (!session.isClosed && !session.isLeaving) this.#options.subscriber.endForbidden(session);
    });
  }

  /**
   * Tells these clients why they are ended and when to come back, and ends them. Each takes system calls, so thousands
   * take several turns of the event loop; from the first on none is heard, or sent anything of its subscriptions.
   */
  sendAway(sessions: readonly Session[], code: CloseCode, reconnectDelayMs = () => 0): void {
    const leaving = sessions.filter(({ isLeaving, isClosed }) => !isLeaving && !isClosed);
    for (const session of leaving) session.leave();
    this.#context.turnBudget.each(leaving, (session) => {
      if (!session.isClosed) session.goAway(code, reconnectDelayMs());
    });
  }

  #setGauges(): void {
    const { metrics, waitingMessages, pendingCommands } = this.#options;
    let lagging = 0;
    let unsentBytes = 0;
    let subscriptions = 0;
    for (const session of this.#byId.values()) {
      if (session.views.isLagging) lagging++;
      unsentBytes += session.unsentBytes;
      subscriptions += session.views.size;
    }
    metrics.connectionsUnauthenticated.set(this.#identities.unauthenticatedCount);
    metrics.sessionsLagging.set(lagging);
    metrics.backpressureBytes.set(unsentBytes);
    metrics.waitingMessageBytes.set(waitingMessages.total);
    metrics.pendingCommandBytes.set(pendingCommands.total);
    metrics.subscriptions.set(subscriptions);
  }
}
