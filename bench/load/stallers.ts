import { setTimeout } from 'node:timers/promises';
import { SluiceClient } from '../../src/client/client.ts';
import type { OffsetRange } from '../../src/protocol/frames.ts';
import { LightSocket } from '../support/light-socket.ts';
import { localAddress } from '../support/raw-client.ts';
import { serveCalls } from '../support/worker.ts';

/** Clients of the real SDK that stop reading, and check how they are caught up afterwards. */

export interface StallersReport {
  /** Told that they read too slowly; told that live updates follow again. */
  readonly lagged: number;
  readonly caughtUp: number;
  /** State topic, from `lagging` to `caughtUp`: values that came, per client at most; and of one key at most. */
  readonly mostValues: number;
  readonly mostValuesOfAKey: number;
  /** Offsets that were reported as lost, came out of order, or never came. */
  readonly lost: number;
  readonly outOfOrder: number;
  readonly behind: number;
}

const reconnectMs = 100;
const reconnectedWithinMs = 3000;

class Staller {
  lagged = false;
  caughtUp = false;
  lost = 0;
  outOfOrder = 0;
  offset = 0;
  stateOffset = 0;
  values = new Map<string, number>();
  socket: LightSocket | undefined;
  readonly #client: SluiceClient;

  constructor(index: number, { port, stream, state }: StartOptions) {
    const keep = (socket: LightSocket): void => {
      this.socket = socket;
    };
    this.#client = new SluiceClient(`ws://127.0.0.1:${port}/ws`, {
      WebSocket: class extends LightSocket {
        constructor(url: string, protocols?: string[]) {
          super(url, protocols, localAddress(index, 100));
          keep(this);
        }
      },
      reconnect: { delaysMs: [reconnectMs] },
      // A phase is longer than the pong timeout, and the client has to keep its connection.
      heartbeat: { timeoutMs: 60_000 },
    });
    const subscription = this.#client.subscribe(stream, {}, ({ offset }) => {
      if (this.offset > 0 && offset !== this.offset + 1) this.outOfOrder++;
      this.offset = offset;
    });
    subscription.on('gap', (gap) => this.#missed(gap));
    this.#watchState(state);
  }

  connect(): Promise<unknown> {
    return this.#client.connect();
  }

  close(): void {
    this.#client.close();
  }

  forget(): void {
    this.lagged = false;
    this.caughtUp = false;
    this.lost = 0;
    this.outOfOrder = 0;
    this.values.clear();
  }

  #watchState(topic: string): void {
    const subscription = this.#client.subscribe(topic);
    const count = (key: string | undefined) => {
      if (this.lagged && !this.caughtUp) this.values.set(key ?? '', (this.values.get(key ?? '') ?? 0) + 1);
    };
    subscription.on('publication', ({ key, offset }) => {
      count(key);
      this.stateOffset = offset;
    });
    subscription.on('snapshot', (entries, { offset }) => {
      for (const key of entries.keys()) count(key);
      this.stateOffset = offset;
    });
    subscription.on('lagging', () => {
      this.lagged = true;
      this.caughtUp = false;
      this.values.clear();
    });
    subscription.on('caughtUp', () => {
      this.caughtUp = true;
    });
    subscription.on('gap', (gap) => this.#missed(gap));
  }

  #missed({ missing }: { readonly missing?: OffsetRange }): void {
    this.lost += missing ? missing.upto - missing.after : 1;
  }
}

interface StartOptions {
  readonly port: number;
  readonly stream: string;
  readonly state: string;
}

let stallers: Staller[] = [];

async function start({ count, ...options }: StartOptions & { readonly count: number }): Promise<void> {
  stallers = Array.from({ length: count }, (_, i) => new Staller(i, options));
  await Promise.all(stallers.map((staller) => staller.connect()));
}

/**
 * Starts a phase. A stalling client begins with a new connection, because the kernel would buffer tens of megabytes for
 * one that was read fast before.
 */
async function begin({ stalls }: { stalls: boolean }): Promise<void> {
  if (stalls) {
    for (const { socket } of stallers) socket?.cut();
    await setTimeout(reconnectedWithinMs);
  }
  for (const staller of stallers) {
    staller.forget();
    if (stalls) staller.socket?.pause();
  }
}

/** Resumes reading, and resolves when all have caught up, or after a timeout. */
async function resume({
  offset,
  stateOffset,
  withinMs,
}: {
  offset: number;
  stateOffset: number;
  withinMs: number;
}): Promise<StallersReport> {
  for (const { socket } of stallers) socket?.resume();
  const isThere = (staller: Staller): boolean =>
    staller.offset >= offset && staller.stateOffset >= stateOffset && staller.lagged === staller.caughtUp;
  const untilMs = performance.now() + withinMs;
  while (!stallers.every(isThere) && performance.now() < untilMs) await setTimeout(20);
  const sum = (pick: (staller: Staller) => number) => stallers.reduce((all, each) => all + pick(each), 0);
  return {
    lagged: sum(({ lagged }) => Number(lagged)),
    caughtUp: sum(({ caughtUp }) => Number(caughtUp)),
    mostValues: Math.max(...stallers.map(({ values }) => [...values.values()].reduce((a, b) => a + b, 0))),
    mostValuesOfAKey: Math.max(...stallers.map(({ values }) => Math.max(0, ...values.values()))),
    lost: sum(({ lost }) => lost),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    behind: stallers.filter((staller) => !isThere(staller)).length,
  };
}

function close(): void {
  for (const staller of stallers) staller.close();
}

const handlers = { start, begin, resume, close };
export type StallersCalls = typeof handlers;
serveCalls(handlers);
