import type { Awaitable } from '../../awaitable.ts';
import { credentialNeeded, SluiceError } from '../../errors.ts';
import type { ErrorLog } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import type { ClientFrame, CommandHead, CommandKind } from '../../protocol/client-frames.ts';
import type { Decoded } from '../../protocol/fields.ts';
import { lastingPayload } from '../../protocol/lasting-payload.ts';
import type { Payer } from '../../topics/payer.ts';
import { isUnauthenticated } from '../admission/unauthenticated.ts';
import { Charge, type HeldByPayers, HeldBytes } from '../limits/charges.ts';
import { CommandLimits } from '../limits/command-limits.ts';
import type { Arrival } from '../limits/token-bucket.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Session, Turn } from '../session.ts';
import type { CommandOptions } from './command.ts';
import { beginCommand, commandTable, runCommand } from './command-table.ts';
import { Intake, smallMessageBytes } from './intake.ts';
import { Failure, runTask, settled, type Task } from './task.ts';
import { wireError, wireErrorOf } from './wire-error.ts';

export interface CommandRunnerOptions {
  readonly commands: Omit<CommandOptions, 'repliedLarge' | 'timed'>;
  readonly frameMaxBytes: number;
  readonly commandsPerSecond: number;
  /** Messages that wait to be decoded. */
  readonly waitingMessages: HeldByPayers;
  /** Commands that wait for those before them, for the engine or for the application. */
  readonly pendingCommands: HeldBytes;
  readonly turnBudget: TurnBudget;
  readonly turn: Pick<Turn, 'isLong'>;
  readonly arrival: Arrival;
  /** The clock by which payers are charged for the time of their commands. */
  readonly workMs: () => number;
  /** It sends more than it may. */
  readonly limited: (session: Session, error: SluiceError) => void;
  readonly metrics: Pick<Metrics, 'commandsTotal' | 'commandErrorsTotal' | 'rateLimitedTotal'>;
  readonly log: ErrorLog;
}

/** Roughly what a command that waits takes besides its message. */
const pendingOverheadBytes = 256;
/** Decoded, they take about three times as much. */
const queuedOfAddressMaxBytes = 2 * 1024 * 1024;
/** Retry delay of commands that were refused because too many wait. */
const waitingRetryMs = 1000;

/** Decodes and runs the commands of all sessions. Each gets exactly one reply or error. */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;
  readonly #commands: CommandOptions;
  readonly #limits: CommandLimits;
  readonly #intake: Intake;
  /** Commands of unverified sessions that wait for those before them, by address. */
  readonly #queuedOfAddresses: HeldBytes;

  constructor(options: CommandRunnerOptions) {
    this.#options = options;
    const { turnBudget, turn, arrival, workMs, commandsPerSecond, waitingMessages } = options;
    this.#limits = new CommandLimits(commandsPerSecond, arrival, workMs);
    this.#commands = {
      ...options.commands,
      repliedLarge: (session, bytes) => this.#limits.replied(session, bytes),
      timed: (session, run) => this.#limits.timed(session, run),
    };
    this.#queuedOfAddresses = new HeldBytes({
      // The largest message has room beside others.
      perPayer: Math.max(queuedOfAddressMaxBytes, 2 * options.frameMaxBytes),
      total: Number.MAX_VALUE,
    });
    this.#intake = new Intake({
      turnBudget,
      turn,
      held: waitingMessages,
      take: (session, message, isBinary, lasts) => this.#take(session, message, isBinary, lasts),
    });
  }

  /** A message of the client. Its bytes may die when this returns. */
  receive(session: Session, message: Uint8Array, isBinary: boolean): void {
    const waitMs = this.#limits.take(session);
    if (waitMs > 0) this.#refuse(session, message, isBinary, rateLimited(waitMs));
    else if (!this.#mayWait(session, message.length) || !this.#intake.receive(session, message, isBinary))
      this.#refuse(session, message, isBinary, tooManyWaiting());
  }

  /**
   * Whether a command may wait for those before it. A large message that may not is refused before it is decoded,
   * because its client may send many.
   */
  #mayWait(session: Session, bytes: number): boolean {
    if (bytes <= smallMessageBytes || !session.isChanging) return true;
    return this.#addressHasRoom(session.payer, bytes) && session.commands.hasRoom(bytes);
  }

  #addressHasRoom({ account, address = account, isVerified }: Payer, bytes: number): boolean {
    return isVerified || this.#queuedOfAddresses.hasRoom(address, bytes + pendingOverheadBytes);
  }

  /** Runs a part of what the session asks for, and charges its payer for the time. */
  timed(session: Session, run: () => void): void {
    this.#limits.timed(session, run);
  }

  /** Changes how much the commands of a payer may take. */
  limit(commandsPerSecond: number): void {
    this.#limits.limit(commandsPerSecond);
  }

  /** Forgets payers whose buckets are full again. */
  sweep(): void {
    this.#limits.sweep();
  }

  /** The first part of a command. */
  begin(session: Session, frame: ClientFrame): Awaitable<unknown> {
    if (isUnauthenticated(session) && frame.kind !== 'connect' && frame.kind !== 'ping')
      return new Failure(credentialNeeded());
    let begun: unknown;
    this.#limits.timed(session, () => {
      begun = settled(() => beginCommand(session, frame, this.#commands));
    });
    return begun;
  }

  /** The second part, after what `begin` returned. */
  finish(session: Session, frame: ClientFrame, begun: unknown): void {
    if (begun instanceof Failure) {
      this.#fail(session, frame, begun.error);
      return;
    }
    this.#limits.timed(session, () => {
      try {
        const reply = runCommand(session, frame, this.#commands, begun);
        if (reply !== undefined) session.reply(frame, reply);
      } catch (error) {
        this.#fail(session, frame, error);
      }
    });
  }

  /** A command that no other waits for. `bytes`: of its message. */
  runUnawaited(session: Session, frame: ClientFrame, bytes: number): void {
    const command = new CommandTask(this, session, frame);
    if (commandTable[frame.kind].isLarge) {
      if (!session.commands.addLarge(command)) this.#fail(session, frame, tooManyWaiting());
      return;
    }
    const pending = runTask(command, session);
    if (pending === undefined) return;
    const charge = this.#charge(session, bytes);
    void pending.then(() => charge.end());
  }

  /** Until its end the payer of the session is charged for a command that waits. */
  #charge({ payer: { account } }: Session, bytes: number): Charge {
    return new Charge(this.#options.pendingCommands, account, bytes + pendingOverheadBytes);
  }

  /** Replies to a command without decoding it. */
  #refuse(session: Session, message: Uint8Array, isBinary: boolean, error: SluiceError): void {
    this.#options.metrics.rateLimitedTotal.inc({ scope: 'command' });
    this.#options.limited(session, error);
    // It may be a publish.
    session.pipeline.break(this.#intake.waitingOf(session));
    if (!this.#limits.refused(session)) session.end('too_many_commands');
    else
      this.#fail(
        session,
        { id: isBinary === session.codec.binary ? session.codec.peekId(message) : 0 },
        error,
      );
  }

  #take(session: Session, message: Uint8Array, isBinary: boolean, lasts: boolean): void {
    this.#limits.timed(session, () => this.#takeNow(session, message, isBinary, lasts));
  }

  #takeNow(session: Session, message: Uint8Array, isBinary: boolean, lasts: boolean): void {
    const decoded = this.#decode(session, message, isBinary);
    session.decoded(decoded.ok && decoded.frame.kind === 'publish' && decoded.frame.pipelined !== true);
    if (decoded.ok) this.#run(session, lasts ? lasting(decoded.frame, true) : decoded.frame, message.length);
    else {
      this.#options.metrics.commandErrorsTotal.inc({ code: decoded.code });
      session.reply(decoded, { kind: 'error', ...wireErrorOf(decoded.code, decoded.message) });
      this.#commands.identities.refusedForGood(session);
    }
  }

  #decode({ codec }: Session, message: Uint8Array, isBinary: boolean): Decoded<ClientFrame> {
    const { frameMaxBytes } = this.#options;
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
        message: `${codec.subprotocol || 'this WebSocket'} takes ${expected} messages`,
      };
    }
    return codec.decodeClientFrame(message);
  }

  /** `bytes`: of its message. */
  #run(session: Session, frame: ClientFrame, bytes: number): void {
    this.#options.metrics.commandsTotal.inc({ command: frame.kind });
    const { order } = commandTable[frame.kind];
    const { payer, isChanging } = session;
    if (order === 'free') this.runUnawaited(session, frame, bytes);
    else if (!this.#options.pendingCommands.hasRoom(payer.account, bytes + pendingOverheadBytes))
      this.#fail(session, frame, tooManyWaiting());
    else if (order === 'changes') this.#enqueue(new ChangeTask(this, session, frame), bytes);
    else if (isChanging) this.#enqueue(new FollowingTask(this, session, lasting(frame), bytes), bytes);
    else this.runUnawaited(session, frame, bytes);
  }

  #enqueue(task: QueuedCommand, bytes: number): void {
    const { session, frame } = task;
    const { payer, isChanging } = session;
    // A command that waits for no other of its session is never refused because of others of its address.
    const hasRoom = !isChanging || this.#addressHasRoom(payer, bytes);
    if (!hasRoom || !session.commands.add(task, bytes)) {
      this.#fail(session, frame, tooManyWaiting());
      return;
    }
    // Most are done by now, and have waited for nothing.
    if (task.isDone) return;
    task.chargeUntilDone(this.#charge(session, bytes));
    if (!isChanging || payer.isVerified) return;
    const { account, address = account } = payer;
    task.chargeUntilDone(new Charge(this.#queuedOfAddresses, address, bytes + pendingOverheadBytes));
  }

  #fail(session: Session, command: CommandHead & { kind?: CommandKind }, error: unknown): void {
    const wire = wireError(error);
    const { metrics, log } = this.#options;
    if (!(error instanceof SluiceError)) log.error({ err: error, session: session.id }, 'a command failed');
    metrics.commandErrorsTotal.inc({ code: wire.code });
    session.reply(command, { kind: 'error', ...wire });
    if (wire.retry && command.kind === 'publish') session.pipeline.break();
    if (!wire.retry) this.#commands.identities.refusedForGood(session);
  }
}

class CommandTask implements Task {
  protected readonly runner: CommandRunner;
  readonly session: Session;
  readonly frame: ClientFrame;

  constructor(runner: CommandRunner, session: Session, frame: ClientFrame) {
    this.runner = runner;
    this.session = session;
    this.frame = frame;
  }

  begin(): Awaitable<unknown> {
    return this.runner.begin(this.session, this.frame);
  }

  finish(begun: unknown): void {
    this.runner.finish(this.session, this.frame, begun);
  }
}

/** A command that may wait for its turn. The queue begins and finishes each, also after the session's end. */
class QueuedCommand extends CommandTask {
  readonly #charges: Charge[] = [];
  #isDone = false;

  get isDone(): boolean {
    return this.#isDone;
  }

  chargeUntilDone(charge: Charge): void {
    this.#charges.push(charge);
  }

  /** It waits no longer. */
  protected done(): void {
    this.#isDone = true;
    for (const charge of this.#charges) charge.end();
  }
}

const skipped = Symbol('skipped');

/** A command that changes what the session takes part in. It is not begun after the session's end. */
class ChangeTask extends QueuedCommand {
  override begin(): Awaitable<unknown> {
    return this.session.isClosed ? skipped : super.begin();
  }

  override finish(begun: unknown): void {
    this.done();
    if (begun !== skipped) super.finish(begun);
  }
}

/** A command that waits for the changes before it. No other command waits for it. */
class FollowingTask extends QueuedCommand {
  readonly #bytes: number;

  constructor(runner: CommandRunner, session: Session, frame: ClientFrame, bytes: number) {
    super(runner, session, frame);
    this.#bytes = bytes;
  }

  override begin(): undefined {
    this.done();
    this.runner.runUnawaited(this.session, this.frame, this.#bytes);
  }

  override finish(): void {}
}

function rateLimited(retryAfterMs: number): SluiceError {
  return new SluiceError('rate_limited', undefined, { retryAfterMs });
}

function tooManyWaiting(): SluiceError {
  return new SluiceError('rate_limited', 'too many or too large commands wait', {
    retryAfterMs: waitingRetryMs,
  });
}

/** For a command that begins in a later turn. `lasts`: the bytes of its message stay valid. */
function lasting(frame: ClientFrame, lasts = false): ClientFrame {
  if ((frame.kind !== 'publish' && frame.kind !== 'call') || frame.payload === undefined) return frame;
  return { ...frame, payload: lastingPayload({ ...frame.payload, lasts: lasts || frame.payload.lasts }) };
}
