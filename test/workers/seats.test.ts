import { expect, test } from 'vitest';
import { ConnectionCaps, type Holder } from '../../src/sessions/admission/connection-caps.ts';
import { SharedSeats } from '../../src/workers/seats.ts';
import { wideLimits } from '../support/wide-limits.ts';

const client = { addressKey: '192.0.2.1' };
const other = { addressKey: '192.0.2.2' };

/** Two workers, and a seat of the client in the first one, which session `a` has. */
function start() {
  const seats = new SharedSeats(new ConnectionCaps({ ...wideLimits, connectionsMax: 2 }));
  const [one, two] = [seats.forWorker(), seats.forWorker()];
  const took = (worker: typeof one, id: number, holder: Holder, former?: string): boolean =>
    worker.handlers.takeSeat([id, holder, former]) === undefined;
  expect(took(one, 1, client)).toBe(true);
  one.handlers.nameSeat([1, 'a']);
  return { one, two, took };
}

test('a session takes over the place of its client at another worker, which is free once both have ended', () => {
  const { one, two, took } = start();
  expect(took(one, 2, other)).toBe(true);
  expect([took(two, 1, client), took(two, 1, client, 'a')]).toEqual([false, true]);
  two.handlers.nameSeat([1, 'b']);
  one.handlers.leaveSeat(1);
  expect(took(one, 3, other)).toBe(false);
  two.handlers.leaveSeat(1);
  expect(took(one, 3, other)).toBe(true);
});

test('a client that goes while it moves leaves its place to its former session, and can move again', () => {
  const { one, two, took } = start();
  expect(took(one, 2, other)).toBe(true);
  expect(took(two, 1, client, 'a')).toBe(true);
  two.handlers.leaveSeat(1);
  expect(took(two, 2, other)).toBe(false);
  expect(took(two, 3, client, 'a')).toBe(true);
});

test('a worker that ends while a client moves to it leaves the place to its former session', () => {
  const { one, two, took } = start();
  two.gone();
  expect(took(two, 1, client, 'a')).toBe(true);
  expect([took(one, 2, other), took(one, 3, other)]).toEqual([true, false]);
});

test('neither another client nor several sessions take over a place', () => {
  const { one, two, took } = start();
  expect([took(two, 1, client, 'a'), took(two, 2, client, 'a')]).toEqual([true, true]);
  expect([took(one, 2, client, 'a'), took(one, 3, other, 'a')]).toEqual([false, false]);
});
