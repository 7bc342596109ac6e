import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { SocketPasser } from '../../src/workers/passed-sockets.ts';

type Send = Parameters<SocketPasser['add']>[0]['send'];

/** A worker that takes what it is given, or does not. */
function workerOf(takes: boolean) {
  const taken: unknown[] = [];
  const send = (
    _entrance: unknown,
    socket: unknown,
    _options: unknown,
    done: (error: Error | null) => void,
  ) => {
    if (takes) taken.push(socket);
    done(takes ? null : new Error('it has ended'));
    return takes;
  };
  return { taken, child: { send: send as Send } };
}

test('workers take connections in turn, until they want no more', () => {
  const passer = new SocketPasser();
  const [one, other] = [workerOf(true), workerOf(true)];
  passer.add(one.child);
  const leave = passer.add(other.child);
  const pass = (count: number) => {
    for (let n = 0; n < count; n++) passer.pass('unix', new Socket());
  };
  pass(4);
  expect([one.taken.length, other.taken.length]).toEqual([2, 2]);
  leave();
  pass(3);
  expect([one.taken.length, other.taken.length]).toEqual([5, 2]);
});

test('a connection that one worker does not take goes to the next; if there is none, it ends', () => {
  const passer = new SocketPasser();
  const alone = new Socket();
  passer.pass('proxy', alone);
  expect(alone.destroyed).toBe(true);
  const [dead, alive] = [workerOf(false), workerOf(true)];
  const leave = passer.add(dead.child);
  const lost = new Socket();
  passer.pass('proxy', lost);
  expect(lost.destroyed).toBe(true);
  passer.add(alive.child);
  const sockets = [new Socket(), new Socket()];
  for (const socket of sockets) passer.pass('proxy', socket);
  expect(alive.taken).toEqual(sockets);
  leave();
});
