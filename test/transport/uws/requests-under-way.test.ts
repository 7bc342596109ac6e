import { expect, test } from 'vitest';
import { RequestsUnderWay } from '../../../src/transport/uws/requests-under-way.ts';

test('an end waits for every request under way, and takes no more', async () => {
  const requests = new RequestsUnderWay();
  expect([requests.begin(), requests.begin()]).toEqual([true, true]);
  const order: string[] = [];
  const finished = requests.finish(60_000).then(() => order.push('finished'));
  expect(requests.begin()).toBe(false);
  requests.ended();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  order.push('one is left');
  requests.ended();
  await finished;
  expect(order).toEqual(['one is left', 'finished']);
});
