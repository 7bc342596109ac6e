import { describe, expect, test } from 'vitest';
import { CommandQueue, queuedMaxBytes } from '../../../src/sessions/commands/command-queue.ts';
import type { Task } from '../../../src/sessions/commands/task.ts';
import { TurnBudget } from '../../../src/sessions/limits/turn-budget.ts';
import { FakeSink, FakeTurns } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { FakeConnection } from '../fixtures.ts';

const overheadBytes = 256;

function makeQueue() {
  const faults: unknown[] = [];
  const connection = new FakeConnection(codecs.json, new FakeSink(() => 0), 1000);
  const queue = new CommandQueue(connection, new TurnBudget(new FakeTurns(), 5), {
    failed: (error) => faults.push(error),
    ranAll: () => undefined,
  });
  const done: string[] = [];
  const send = (name: string) => {
    done.push(name);
    connection.send(new TextEncoder().encode(name));
  };
  const task = (name: string): Task => ({ begin: () => undefined, finish: () => send(name) });
  /** A task that awaits something until it is told to go on. */
  const pending = (name: string) => {
    let resolve: () => void = () => undefined;
    const begun = new Promise<void>((settle) => {
      resolve = settle;
    });
    const wait: Task = { begin: () => begun, finish: () => send(name) };
    return { wait, resolve };
  };
  return { connection, queue, done, faults, task, pending };
}

describe('commands of one session', () => {
  test('that need not wait are done at once', () => {
    const { queue, done, task } = makeQueue();
    queue.add(task('a'));
    queue.add(task('b'));
    expect([done, queue.isBusy]).toEqual([['a', 'b'], false]);
  });

  test('wait for the one before, and what they send leaves in one write', async () => {
    const { connection, queue, done, task, pending } = makeQueue();
    const { wait, resolve } = pending('a');
    queue.add(wait);
    queue.add(task('b'));
    queue.add(task('c'));
    expect([done, queue.isBusy]).toEqual([[], true]);
    resolve();
    await wait.begin();
    await Promise.resolve();
    expect([done, queue.isBusy]).toEqual([['a', 'b', 'c'], false]);
    expect(connection.writes.map((messages) => messages.length)).toEqual([3]);
  });

  test('that wait have at most 256 KiB; a single one may be larger, and the gateway’s own always wait', () => {
    const { queue, task, pending } = makeQueue();
    queue.add(pending('first').wait);
    expect(queue.add(task('a'), queuedMaxBytes - 2 * overheadBytes - 1)).toBe(true);
    expect(queue.add(task('b'), 2)).toBe(false);
    expect(queue.add(task('b'), 1)).toBe(true);
    expect(queue.add(task('c'), 1)).toBe(false);
    expect(queue.add(task('own'))).toBe(true);
    const other = makeQueue();
    other.queue.add(other.pending('first').wait);
    expect(other.queue.add(other.task('large'), queuedMaxBytes * 2)).toBe(true);
  });

  test('have their room back when the queue is empty', async () => {
    const { queue, done, task, pending } = makeQueue();
    for (let round = 0; round < 3; round++) {
      const { wait, resolve } = pending('first');
      queue.add(wait);
      expect(queue.add(task('large'), queuedMaxBytes * 2)).toBe(true);
      resolve();
      await wait.begin();
      await Promise.resolve();
    }
    expect(done).toHaveLength(6);
  });

  const fault = new Error('broken');
  const throwing = (): never => {
    throw fault;
  };

  test.each<[string, Task]>([
    ['throws as it begins', { begin: throwing, finish: () => undefined }],
    ['throws as it finishes', { begin: () => undefined, finish: throwing }],
    ['is rejected', { begin: () => Promise.reject(fault), finish: () => undefined }],
    ['throws after it has waited', { begin: () => Promise.resolve(), finish: throwing }],
  ])('go on after one that %s', async (_, broken) => {
    const { queue, done, faults, task, pending } = makeQueue();
    const { wait, resolve } = pending('a');
    queue.add(wait);
    queue.add(broken);
    queue.add(task('b'));
    resolve();
    await new Promise(setImmediate);
    expect([done, faults, queue.isBusy]).toEqual([['a', 'b'], [fault], false]);
    expect(queue.add(broken)).toBe(true);
    await new Promise(setImmediate);
    queue.add(task('c'));
    expect([done, faults, queue.isBusy]).toEqual([['a', 'b', 'c'], [fault, fault], false]);
  });
});
