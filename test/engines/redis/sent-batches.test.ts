import { expect, it } from 'vitest';
import { SentBatches } from '../../../src/engines/redis/sent-batches.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { loadedAnew, outlivingShare } from '../../support/memory.ts';

const anyFields = publishOf({
  topic: 't',
  type: 'update',
  payload: { format: 'json', bytes: Buffer.from('1') },
});

function requestOf(key: string, acceptedAtMs = 0) {
  // Not by `publishOf`: once other tests have kept much of what that makes, V8 takes it for old from the start.
  const fields = { ...anyFields, key };
  const request = { fields, publishedAtMs: 0, timestampMs: 0, acceptedAtMs };
  return { request, refusedForMs: undefined };
}

it('knows when the requests of the latest batches were accepted', () => {
  const sent = new SentBatches();
  const numbers = Array.from({ length: 100 }, (_, i) =>
    sent.add([requestOf('', 2 * i), requestOf('', 2 * i + 1)]),
  );
  expect(sent.acceptedAtMs(numbers[99] as number, 1)).toBe(199);
  expect(sent.acceptedAtMs(numbers[40] as number, 0)).toBe(80);
  expect(sent.acceptedAtMs(numbers[0] as number, 0)).toBe(0);
  expect(sent.acceptedAtMs(numbers[99] as number, 2)).toBe(0);
});

it('has only those batches unreplied whose reply had not come when the connection ended', () => {
  const sent = new SentBatches();
  const [first, second, third] = ['a', 'b', 'c'].map((key) => sent.add([requestOf(key)])) as [
    number,
    number,
    number,
  ];
  sent.replied(second);
  expect(sent.hasUnreplied).toBe(false);
  sent.lost();
  expect([sent.hasUnreplied, sent.fence]).toEqual([true, third]);
  sent.replied(first);
  sent.settle(new Map());
  expect([sent.hasUnreplied, sent.fence]).toEqual([false, 0]);
});

it('leaves batches that are done to the next scavenges', async () => {
  const loaded = await loadedAnew(() => import('../../../src/engines/redis/sent-batches.ts'));
  const sent = new loaded.SentBatches();
  // In a `Map` all of them outlive.
  expect(outlivingShare((key) => sent.replied(sent.add([requestOf(key)])))).toBeLessThan(0.5);
});
