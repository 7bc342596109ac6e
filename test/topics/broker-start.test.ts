import { describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { Engine, EngineFeed } from '../../src/topics/engine.ts';
import { makeBroker } from './fixtures.ts';

const ignore = { appended: () => undefined, reset: () => undefined, removed: () => undefined };

/** An engine with topics to load; `onLoad` is called for each, with their number so far. */
function storingEngine(count: number, onLoad: (loaded: number) => void) {
  const seen = { loaded: 0, signal: undefined as AbortSignal | undefined };
  const memory = new MemoryEngine({ isState: () => false });
  const engine: Engine = Object.assign(memory, {
    retains: true,
    open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
      seen.signal = signal;
      return MemoryEngine.prototype.open.call(memory, feed);
    },
    names: () => Array.from({ length: count }, (_, i) => `t${i}`),
    load: async () => onLoad(++seen.loaded),
  });
  return { engine, seen };
}

const reason = new Error('asked to end');

describe('a broker that loads what is stored', () => {
  test('gives the event loop a turn every 10 ms', async () => {
    let turns = 0;
    const { engine, seen } = storingEngine(35, () => clock.advance(1));
    const { broker, clock } = makeBroker({ engine });
    let isOpen = false;
    const count = () => {
      turns++;
      if (!isOpen) setImmediate(count);
    };
    setImmediate(count);
    await broker.open(ignore);
    isOpen = true;
    expect([seen.loaded, turns]).toEqual([35, 3]);
  });

  test('ends with the reason when it is aborted in between, and loads no more', async () => {
    const stop = new AbortController();
    const { engine, seen } = storingEngine(100, (loaded) => {
      clock.advance(1);
      if (loaded === 15) setImmediate(() => stop.abort(reason));
    });
    const { broker, clock, counts } = makeBroker({ engine });
    await expect(broker.open(ignore, stop.signal)).rejects.toBe(reason);
    expect([seen.loaded, counts.values('engineUp')]).toEqual([20, []]);
    expect(seen.signal).toBe(stop.signal);
  });

  test('does not open when it is aborted at the last one', async () => {
    const stop = new AbortController();
    const { engine } = storingEngine(3, (loaded) => {
      if (loaded === 3) stop.abort(reason);
    });
    const { broker, counts } = makeBroker({ engine });
    await expect(broker.open(ignore, stop.signal)).rejects.toBe(reason);
    expect(counts.values('engineUp')).toEqual([]);
  });
});
