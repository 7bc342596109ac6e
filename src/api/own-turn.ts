import { isOperator } from '../auth/identity.ts';
import { type Awaitable, isPending } from '../awaitable.ts';
import type { Payer } from '../topics/payer.ts';
import type { ApiResponse } from './http.ts';
import type { ApiPorts } from './ports.ts';
import type { Call } from './route.ts';

/** A larger body is read in pieces of about this size, each in a turn of its own: at most 5 ms each. */
export const pieceBytes = 256 * 1024;

/** A list this short has so few entries that telling the faults of all takes a fraction of a millisecond. */
export const shortListBytes = 512;
/** The same, for a list whose entries are larger. */
export const shortListEntries = 100;

/** Who pays for the time that the call takes. An operator is not charged for time. */
function chargedOf({ identity, payer }: Call): Payer | undefined {
  return isOperator(identity) ? undefined : payer;
}

/** Does work of some milliseconds in a turn of its own. The caller is charged for its time, up to its first wait. */
export function inOwnTurn<T>(call: Call, { turns }: ApiPorts, work: () => T | PromiseLike<T>): Promise<T> {
  return turns.run(chargedOf(call), work);
}

/**
 * Reads and makes the response, in one turn of its own, unless the caller has spent its time. What has to be awaited
 * gets a turn more: only that is held by many requests at a time, and a large list takes more than the text of its
 * response.
 */
export function readInOwnTurn<T>(
  call: Call,
  ports: ApiPorts,
  read: () => Awaitable<T>,
  respond: (found: T) => ApiResponse,
): Promise<ApiResponse> {
  return ports.turns.begin(chargedOf(call), () => {
    const result = read();
    if (!isPending(result)) return respond(result);
    return result.then((awaited) => inOwnTurn(call, ports, () => respond(awaited)));
  });
}

/** Runs `handle` at once, or in a turn of its own where the body has more bytes than `atOnceBytes`. */
export function inTurn<C extends Call>(
  call: C,
  ports: ApiPorts,
  handle: (call: C, ports: ApiPorts) => Awaitable<ApiResponse>,
  atOnceBytes = pieceBytes,
): Awaitable<ApiResponse> {
  if (call.body.length <= atOnceBytes) return handle(call, ports);
  return inOwnTurn(call, ports, () => handle(call, ports));
}
