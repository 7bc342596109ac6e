import { expect, it } from 'vitest';
import { Timer } from '../../src/client/timer.ts';
import { FakeRuntime } from './support/fakes.ts';

it('a timer runs what was set last, once, unless it is stopped', async () => {
  const runtime = new FakeRuntime();
  const timer = new Timer(runtime);
  const ran: string[] = [];
  timer.set(100, () => ran.push('first'));
  timer.set(200, () => ran.push(`second, set: ${timer.isSet}`));
  expect([runtime.timers, timer.isSet]).toEqual([1, true]);
  await runtime.advance(1000);
  expect(ran).toEqual(['second, set: false']);
  timer.set(100, () => ran.push('third'));
  timer.stop();
  expect([runtime.timers, timer.isSet]).toEqual([0, false]);
  await runtime.advance(1000);
  expect(ran).toHaveLength(1);
});
