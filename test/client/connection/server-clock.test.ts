import { describe, expect, it } from 'vitest';
import { ServerClock } from '../../../src/client/connection/server-clock.ts';
import { FakeRuntime } from '../support/fakes.ts';

const runtime = new FakeRuntime();

/**
 * A ping that got its pong from a gateway whose clock is `aheadMs` ahead, `skewMs` before or after the middle
 * of the round trip.
 */
const pulse = (roundTripMs: number, aheadMs: number, skewMs = 0) =>
  [roundTripMs, runtime.now() - roundTripMs / 2 + aheadMs + skewMs] as const;

describe('the clock of the gateway', () => {
  it('is estimated from the greeting before the first pong', () => {
    const clock = new ServerClock(runtime);
    clock.greeted(runtime.now() + 1_000);
    expect([clock.offsetMs, clock.roundTripMs]).toEqual([1_000, undefined]);
  });

  it.each([
    ['first', [pulse(10, 500), pulse(200, 500, 90)]],
    ['last', [pulse(200, 500, 90), pulse(10, 500)]],
    ['between', [pulse(200, 500, 90), pulse(10, 500), pulse(100, 500, -40)]],
  ])('is believed of the quickest ping: the %s', (_, pulses) => {
    const clock = new ServerClock(runtime);
    for (const one of pulses) clock.observe(...one);
    expect([clock.offsetMs, clock.roundTripMs]).toEqual([500, pulses.at(-1)?.[0]]);
  });

  it('is believed of the latest eight only', () => {
    const clock = new ServerClock(runtime);
    clock.observe(...pulse(1, 900));
    for (let n = 0; n < 7; n++) clock.observe(...pulse(50, 500));
    expect(clock.offsetMs).toBe(900);
    clock.observe(...pulse(50, 500));
    expect(clock.offsetMs).toBe(500);
  });

  it('is estimated again on another connection', () => {
    const clock = new ServerClock(runtime);
    clock.observe(...pulse(1, 900));
    clock.greeted(runtime.now());
    expect([clock.offsetMs, clock.roundTripMs]).toEqual([0, undefined]);
  });
});
