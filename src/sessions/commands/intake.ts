import type { Payer } from '../../topics/payer.ts';
import type { HeldByPayers } from '../limits/charges.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Session, Turn } from '../session.ts';

/** Messages up to this size mostly take ten microseconds: decoded at once, unless their turn is long already. */
export const smallMessageBytes = 4096;

export interface IntakeOptions {
  readonly turnBudget: TurnBudget;
  readonly turn: Pick<Turn, 'isLong'>;
  /** Messages that wait. */
  readonly held: Pick<HeldByPayers, 'take' | 'give'>;
  /** `lasts`: the bytes of the message stay valid. */
  readonly take: (session: Session, message: Uint8Array, isBinary: boolean, lasts: boolean) => void;
}

interface WaitingMessage {
  readonly message: Uint8Array;
  readonly isBinary: boolean;
  readonly payer: Payer;
}

/**
 * Takes the messages of all sessions, those of each session in their order. Large ones are decoded within the turn
 * budget: those that exceed it wait for later turns, and with them the later messages of their sessions. In a turn that
 * many messages have made long the small ones wait, too: some take as long as a large one.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #waiting = new Map<Session, WaitingMessage[]>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * False: the message would have to wait, and too many bytes wait already. Its bytes are valid only until this
   * returns.
   */
  receive(session: Session, message: Uint8Array, isBinary: boolean): boolean {
    const { turnBudget, turn, take } = this.#options;
    const before = this.#waiting.get(session);
    if (before !== undefined) return this.#keep(session, before, message, isBinary);
    if (turn.isLong) return this.#keep(session, [], message, isBinary);
    if (message.length <= smallMessageBytes) take(session, message, isBinary, false);
    else if (turnBudget.isFree) turnBudget.run(() => take(session, message, isBinary, false));
    else return this.#keep(session, [], message, isBinary);
    return true;
  }

  /** The messages of this session that wait. */
  waitingOf(session: Session): number {
    return this.#waiting.get(session)?.length ?? 0;
  }

  #keep(session: Session, waiting: WaitingMessage[], message: Uint8Array, isBinary: boolean): boolean {
    const { payer } = session;
    if (!this.#options.held.take(payer, message.length)) return false;
    waiting.push({ message: message.slice(), isBinary, payer });
    if (waiting.length === 1) {
      this.#waiting.set(session, waiting);
      this.#askForTurn(session, waiting);
    }
    return true;
  }

  #askForTurn(session: Session, waiting: WaitingMessage[]): void {
    this.#options.turnBudget.later(() => this.#takeNext(session, waiting));
  }

  #takeNext(session: Session, waiting: WaitingMessage[]): void {
    const { held, take } = this.#options;
    const next = waiting[0] as WaitingMessage;
    held.give(next.payer, next.message.length);
    if (!session.isClosed) take(session, next.message, next.isBinary, true);
    waiting.shift();
    if (waiting.length > 0) this.#askForTurn(session, waiting);
    else this.#waiting.delete(session);
  }
}
