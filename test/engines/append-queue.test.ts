import { expect, it } from 'vitest';
import { AppendQueue } from '../../src/engines/append-queue.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import type { AppendOutcome, AppendRequest } from '../../src/topics/engine.ts';
import { loadedAnew, outlivingShare } from '../support/memory.ts';

function requestOf(topic: string): AppendRequest {
  const payload = { format: 'json', bytes: Buffer.from('1') } as const;
  return { fields: publishOf({ topic, type: 'update', payload }), publishedAtMs: 0, acceptedAtMs: 0 };
}

const outcomeAt = (offset: number): AppendOutcome => ({ ok: true, epoch: 'e', offset, duplicate: false });

it('takes calls as a whole, and resolves each with the outcomes of its requests, in their order', async () => {
  const queue = new AppendQueue();
  const calls = [['a', 'b'], ['a'], ['b', 'a']].map((topics) => queue.add(topics.map(requestOf)));
  const taken = [queue.take(1), queue.take(2), queue.take(2)];
  expect([taken.map(({ length }) => length), queue.count]).toEqual([[2, 1, 2], 0]);
  for (const [at, each] of [...taken.entries()].reverse()) queue.settle(each, (i) => outcomeAt(10 * at + i));
  expect(await Promise.all(calls)).toEqual([[0, 1], [10], [20, 21]].map((each) => each.map(outcomeAt)));
});

it('knows the topics of requests without an outcome, among any number of others', () => {
  const queue = new AppendQueue();
  void queue.add([requestOf('kept'), requestOf('kept'), requestOf('done')]);
  const taken = queue.take(10);
  queue.settle([taken[0], taken[2]] as typeof taken, outcomeAt);
  for (let i = 0; i < 5000; i++) {
    void queue.add([requestOf(`other-${i}`)]);
    queue.settle(queue.take(1), outcomeAt);
  }
  expect(['kept', 'done', 'other-0', 'other-4999'].map((topic) => queue.has(topic))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('leaves nothing of settled requests to mark-compacts', async () => {
  const loaded = await loadedAnew(() => import('../../src/engines/append-queue.ts'));
  const queue = new loaded.AppendQueue();
  const request = requestOf('t');
  // Of each object's length: what one request leaves is small.
  const churn = () => {
    for (let i = 0; i < 40; i++) {
      void queue.add([request]);
      queue.settle(queue.take(1), outcomeAt);
    }
  };
  expect(outlivingShare(churn)).toBeLessThan(0.2);
});
