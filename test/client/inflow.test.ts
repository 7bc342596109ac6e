import { expect, it } from 'vitest';
import { Inflow } from '../../src/client/inflow.ts';
import { extras } from '../../src/client/subscriptions/extras.ts';
import { concatBytes } from '../../src/protocol/bytes.ts';
import { deflateBody } from '../../src/protocol/compression.ts';
import type { Reply } from '../../src/protocol/server-frames.ts';
import { protobufCodec } from '../support/codecs.ts';
import { range } from '../support/numbers.ts';
import { harness, publication, settled } from './support/fakes.ts';

function compressed(after: number, upto: number): Reply {
  const run = concatBytes(
    range(after, upto).map((offset) => protobufCodec.encodePublication('a', publication(offset))),
  );
  return { kind: 'batch', view: 7, after, upto, publications: [], compressed: deflateBody(run) };
}

const plain = (offset: number): Reply => ({
  kind: 'batch',
  view: 7,
  after: offset - 1,
  upto: offset,
  publications: [publication(offset)],
});

const granted: Reply = {
  kind: 'subscribed',
  results: [{ topic: 'a', view: 7, mode: 'stream', epoch: 'e1', offset: 0 }],
};

it('a compressed batch is delivered in its turn, and code that is not loaded is not waited for', async () => {
  Object.assign(extras, { loaded: undefined });
  const h = harness();
  const socket = await h.arrive();
  const offsets: number[] = [];
  h.client.subscribe('a', {}, ({ offset }) => offsets.push(offset));
  await settled();
  socket.reply('subscribe', granted);
  socket.push(plain(1));
  socket.push(compressed(1, 20));
  socket.push(plain(21));
  expect(offsets).toEqual(range(0, 21));
  expect(extras.loaded).toBeUndefined();
});

it('frames that wait for code are dropped with their connection', async () => {
  Object.assign(extras, { loaded: undefined });
  const told: unknown[] = [];
  const inflow = new Inflow(
    (each) => told.push(each.kind),
    () => told.push('failed'),
  );
  inflow.take({ kind: 'lagging', id: 0, views: [7] });
  inflow.take({ ...compressed(0, 20), id: 0 });
  inflow.clear();
  await extras.load();
  await settled();
  expect(told).toEqual([]);
  inflow.take({ ...compressed(0, 20), id: 0 });
  expect(told).toEqual(['batch']);
});
