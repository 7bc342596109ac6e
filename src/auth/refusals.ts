import type { SluiceError } from '../errors.ts';

/** Where a credential or a page came from. Copied out of the request, which may be gone by then. */
export interface Source {
  /** Of the client, as far as trusted proxies say it. */
  readonly address: string;
  /** Of the page; empty: no browser says that there is one. */
  readonly origin: string;
}

export type Door = 'http' | 'upgrade' | 'connect';

/** Told of every credential and every origin that a door refused. */
export type Refused = (door: Door, error: SluiceError, source: Source) => void;

interface RefusalLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Per code and door: a burst of lines, and then one per interval. */
const linesAtOnce = 10;
const everyMs = 10_000;
/** An origin is what a client says: no more of it than a name may have. */
const originMaxLength = 200;

interface Budget {
  lines: number;
  atMs: number;
  unlogged: number;
}

/**
 * A line for each refusal, with the names that are known: the address, the page's origin, the user of a token that was
 * signed right, the name of a key. Never the credential, and no more lines than a person can read; the next line says
 * how many there would have been. `monotonicMs`: milliseconds.
 */
export function logRefusals(log: RefusalLog, monotonicMs: () => number): Refused {
  const budgets = new Map<string, Budget>();
  return (door, error, { address, origin }) => {
    if (!error.isAuthFault) return;
    const budget = budgetOf(`${door} ${error.code}`);
    if (budget.lines < 1) {
      budget.unlogged++;
      return;
    }
    budget.lines--;
    const { unlogged } = budget;
    budget.unlogged = 0;
    const fields = {
      door,
      code: error.code,
      address,
      origin: origin === '' ? undefined : origin.slice(0, originMaxLength),
      user: error.who?.user,
      key: error.who?.key,
      unlogged: unlogged === 0 ? undefined : unlogged,
    };
    log.warn(fields, `refused: ${error.message}`);
  };

  function budgetOf(kind: string): Budget {
    const nowMs = monotonicMs();
    let budget = budgets.get(kind);
    if (budget === undefined) {
      budget = { lines: linesAtOnce, atMs: nowMs, unlogged: 0 };
      budgets.set(kind, budget);
    }
    budget.lines = Math.min(linesAtOnce, budget.lines + (nowMs - budget.atMs) / everyMs);
    budget.atMs = nowMs;
    return budget;
  }
}
