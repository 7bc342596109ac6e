import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import {
  type CapLimits,
  type Caps,
  ConnectionCaps,
  type Holder,
  type Seat,
  type TakenSeat,
} from '../sessions/admission/connection-caps.ts';
import type { Handlers, Link } from './link.ts';
import { type PackedError, packError, unpackError } from './packed-error.ts';

/** What a worker asks and tells about places. It numbers its seats. Errors say why there is no place. */
export interface SeatCalls {
  /** `former`: the session of the same client whose place it takes over. */
  takeSeat(
    asked: readonly [seat: number, holder: Holder, former: string | undefined],
  ): PackedError | undefined;
  moveSeat(asked: readonly [seat: number, holder: Holder]): PackedError | undefined;
  /** The session that has the seat, where another one may take it over. */
  nameSeat(named: readonly [seat: number, session: string]): void;
  leaveSeat(seat: number): void;
}

interface Taken {
  readonly seat: Seat;
  readonly holder: Holder;
  session: string | undefined;
}

/** The places of all workers, in the parent process: so that the caps hold for all of them together. */
export class SharedSeats {
  readonly #caps: Caps;
  readonly #bySession = new Map<string, Taken>();

  constructor(caps: Caps) {
    this.#caps = caps;
  }

  /** How the calls of one worker are handled. `gone`: call it when the worker has ended; its places are free then. */
  forWorker(): { readonly handlers: Handlers<SeatCalls>; gone(): void } {
    const seats = new Map<number, Taken>();
    let isGone = false;
    const leave = (id: number) => {
      const taken = seats.get(id);
      seats.delete(id);
      if (taken !== undefined) this.#leave(taken);
    };
    return {
      handlers: {
        takeSeat: ([id, holder, former]) => {
          const replaced = former === undefined ? undefined : this.#bySession.get(former);
          // A session's id is no secret, so only the same client may take over its place.
          if (replaced !== undefined && isSame(replaced.holder, holder)) this.#leave(replaced);
          const elsewhere = replaced === undefined ? former : undefined;
          return whenDone(this.#caps.take(holder, elsewhere), (seat) => {
            if (seat instanceof SluiceError) return packError(seat);
            if (isGone) seat.leave();
            else seats.set(id, { seat, holder, session: undefined });
            return undefined;
          });
        },
        moveSeat: ([id, holder]) =>
          whenDone(seats.get(id)?.seat.move(holder), (problem) => problem && packError(problem)),
        nameSeat: ([id, session]) => {
          const taken = seats.get(id);
          if (taken === undefined) return;
          taken.session = session;
          this.#bySession.set(session, taken);
        },
        leaveSeat: leave,
      },
      gone: () => {
        isGone = true;
        for (const id of [...seats.keys()]) leave(id);
      },
    };
  }

  #leave({ seat, session }: Taken): void {
    seat.leave();
    if (session !== undefined) this.#bySession.delete(session);
  }
}

/** The caps of a worker: places are given by the parent process. */
export class WorkerCaps implements Caps {
  readonly #link: Pick<Link<object, SeatCalls>, 'ask' | 'tell'>;
  /** Counts this worker's connections: if these alone exceed a cap, the parent need not be asked. */
  readonly #own: ConnectionCaps;
  #lastSeat = 0;

  constructor(link: Pick<Link<object, SeatCalls>, 'ask' | 'tell'>, limits: CapLimits) {
    this.#link = link;
    this.#own = new ConnectionCaps(limits);
  }

  problem(holder: Holder): SluiceError | undefined {
    return this.#own.problem(holder);
  }

  async take(holder: Holder, former?: string): Promise<Seat | SluiceError> {
    const id = ++this.#lastSeat;
    const refused = await this.#link.ask('takeSeat', [id, holder, former]).catch(parentGone);
    if (refused !== undefined) return unpackError(refused);
    return new SharedSeat(id, this.#link, this.#own, holder);
  }
}

/** A place that the parent process has counted, and this worker too. */
class SharedSeat implements Seat {
  readonly #id: number;
  readonly #link: Pick<Link<object, SeatCalls>, 'ask' | 'tell'>;
  readonly #own: TakenSeat | undefined;
  #isLeft = false;

  constructor(
    id: number,
    link: Pick<Link<object, SeatCalls>, 'ask' | 'tell'>,
    own: ConnectionCaps,
    holder: Holder,
  ) {
    this.#id = id;
    this.#link = link;
    const taken = own.take(holder);
    this.#own = taken instanceof SluiceError ? undefined : taken;
  }

  name(session: string): void {
    this.#link.tell('nameSeat', [this.#id, session]);
  }

  move(holder: Holder): Awaitable<SluiceError | undefined> {
    const asked = this.#link.ask('moveSeat', [this.#id, holder]).catch(parentGone);
    return whenDone(asked, (refused) => {
      if (refused !== undefined) return unpackError(refused);
      this.#own?.move(holder);
      return undefined;
    });
  }

  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#own?.leave();
    this.#link.tell('leaveSeat', this.#id);
  }
}

function isSame(a: Holder, b: Holder): boolean {
  return a.addressKey === b.addressKey && a.user === b.user;
}

function parentGone(): PackedError {
  return packError(new SluiceError('shutting_down'));
}
