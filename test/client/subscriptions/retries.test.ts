import { describe, expect, it } from 'vitest';
import { Retries } from '../../../src/client/subscriptions/extras/retries.ts';
import { Timer } from '../../../src/client/timer.ts';
import { FakeRuntime } from '../support/fakes.ts';

function retries() {
  const runtime = new FakeRuntime();
  const told: string[][] = [];
  return {
    runtime,
    told,
    retries: new Retries<string>(new Timer(runtime), runtime, (due) => told.push([...due])),
  };
}

describe('Retries', () => {
  it('run together if they are due within a quarter of a second, and none too early', async () => {
    const { runtime, told, retries: planned } = retries();
    planned.add('last', 1_000);
    planned.add('middle', 750);
    planned.add('first', 749);
    await runtime.advance(748);
    expect(told).toEqual([]);
    await runtime.advance(1);
    expect(told).toEqual([['first']]);
    await runtime.advance(250);
    expect(told).toEqual([['first']]);
    await runtime.advance(1);
    expect(told).toEqual([['first'], ['last', 'middle']]);
    expect(runtime.timers).toBe(0);
  });

  it('run once, and not at all after they are deleted', async () => {
    const { runtime, told, retries: planned } = retries();
    planned.add('a', 100);
    planned.add('a', 500);
    planned.add('b', 100);
    planned.delete('b');
    await runtime.advance(499);
    expect([told, planned.has('a'), planned.has('b')]).toEqual([[], true, false]);
    planned.clear();
    expect(runtime.timers).toBe(0);
    await runtime.advance(1_000);
    expect([told, runtime.timers]).toEqual([[], 0]);
  });
});
