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

/** A place under the caps. Where a session takes it over from another one, both have it until that has ended. */
interface Place {
  readonly seat: Seat;
  readonly holder: Holder;
  sessions: number;
}

interface WorkerSeat {
  readonly place: Place;
  session: string | undefined;
}

/** The places of all workers, in the parent process: so that the caps hold for all of them together. */
export class SharedSeats {
  readonly #caps: Caps;
  readonly #bySession = new Map<string, WorkerSeat>();

  constructor(caps: Caps) {
    this.#caps = caps;
  }

  /** How the calls of one worker are handled. `gone`: call it when the worker has ended; its places are free then. */
  forWorker(): { readonly handlers: Handlers<SeatCalls>; gone(): void } {
    const seats = new Map<number, WorkerSeat>();
    let isGone = false;
    const leave = (id: number) => {
      const taken = seats.get(id);
      seats.delete(id);
      if (taken !== undefined) this.#leave(taken);
    };
    const take = (id: number, place: Place) => {
      const taken = { place, session: undefined };
      place.sessions += 1;
      if (isGone) this.#leave(taken);
      else seats.set(id, taken);
    };
    return {
      handlers: {
        takeSeat: ([id, holder, former]) => {
          const replaced = former === undefined ? undefined : this.#bySession.get(former);
          if (replaced !== undefined && mayShare(replaced.place, holder)) {
            take(id, replaced.place);
            return undefined;
          }
          const elsewhere = replaced === undefined ? former : undefined;
          return whenDone(this.#caps.take(holder, elsewhere), (seat) => {
            if (seat instanceof SluiceError) return packError(seat);
            take(id, { seat, holder, sessions: 0 });
            return undefined;
          });
        },
        moveSeat: ([id, holder]) =>
          whenDone(seats.get(id)?.place.seat.move(holder), (problem) => problem && packError(problem)),
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

  #leave({ place, session }: WorkerSeat): void {
    if (session !== undefined) this.#bySession.delete(session);
    place.sessions -= 1;
    if (place.sessions === 0) place.seat.leave();
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
    const seat = own.take(holder);
    this.#own = seat instanceof SluiceError ? undefined : seat;
  }

  name(session: string): void {
    this.#link.tell('nameSeat', [this.#id, session]);
  }

  move(holder: Holder): Awaitable<SluiceError | undefined> {
    const moving = this.#link.ask('moveSeat', [this.#id, holder]).catch(parentGone);
    return whenDone(moving, (refused) => {
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

/** A session's id is no secret, so only the same client may take over its place, and not with several sessions. */
function mayShare({ holder, sessions }: Place, { addressKey, user }: Holder): boolean {
  return sessions === 1 && holder.addressKey === addressKey && holder.user === user;
}

function parentGone(): PackedError {
  return packError(new SluiceError('shutting_down'));
}
