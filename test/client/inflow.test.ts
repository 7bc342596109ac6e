import { expect, it, vi } from 'vitest';
import { concatBytes } from '../../src/protocol/bytes.ts';
import { deflateBody } from '../../src/protocol/compression.ts';
import type { Reply } from '../../src/protocol/server-frames.ts';
import { protobufCodec } from '../support/codecs.ts';
import { range } from '../support/numbers.ts';
import { publication, settled } from './support/fakes.ts';

function compressed(after: number, upto: number): Reply {
  const run = concatBytes(
    range(after, upto).map((offset) => protobufCodec.encodePublication('a', publication(offset))),
  );
  return { kind: 'batch', view: 7, after, upto, publications: [], compressed: deflateBody(run) };
}

const plain = (offset: number): Reply => ({
  ...{ kind: 'batch', view: 7, after: offset - 1, upto: offset },
  publications: [publication(offset)],
});

const granted: Reply = {
  kind: 'subscribed',
  results: [{ topic: 'a', view: 7, mode: 'stream', epoch: 'e1', offset: 0 }],
};

/** As in a page that has loaded nothing yet. */
async function freshly() {
  vi.resetModules();
  const inflow = await import('../../src/client/inflow.ts');
  return { ...inflow, ...(await import('./support/fakes.ts')) };
}

it('frames keep their order while the code that inflates them is loaded', async () => {
  const { inflating, harness } = await freshly();
  const h = harness();
  const socket = await h.arrive();
  const offsets: number[] = [];
  h.client.subscribe('a', {}, ({ offset }) => offsets.push(offset));
  await settled();
  socket.reply('subscribe', granted);
  socket.push(plain(1));
  socket.push(compressed(1, 20));
  socket.push(plain(21));
  expect(offsets).toEqual([1]);
  await inflating.load();
  await settled();
  expect(offsets).toEqual(range(0, 21));
});

it('frames that wait for that code are dropped with their connection', async () => {
  const { Inflow, inflating } = await freshly();
  const told: unknown[] = [];
  const inflow = new Inflow(
    (each) => told.push(each.kind),
    () => told.push('failed'),
  );
  inflow.take({ ...compressed(0, 20), id: 0 });
  inflow.clear();
  await inflating.load();
  await settled();
  expect(told).toEqual([]);
  inflow.take({ ...compressed(0, 20), id: 0 });
  expect(told).toEqual(['batch']);
});
