import type { Subscription } from '../../../src/client/index.ts';
import { concatBytes } from '../../../src/protocol/bytes.ts';
import { deflateBody, type SharedDictionary } from '../../../src/protocol/compression.ts';
import { crc32 } from '../../../src/protocol/crc32.ts';
import type { Granted } from '../../../src/protocol/frames.ts';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { protobufCodec } from '../../support/codecs.ts';
import { type FakeSocket, harness, publication, settled } from '../support/fakes.ts';

export const granted = (over: Partial<Granted> = {}): Granted => ({
  topic: 'a',
  view: 7,
  mode: 'stream',
  epoch: 'e1',
  offset: 0,
  ...over,
});

export function grant(socket: FakeSocket, ...results: Partial<Granted>[]): void {
  socket.reply('subscribe', { kind: 'subscribed', results: results.map(granted) });
}

export function batch(
  after: number,
  upto: number,
  over: Partial<Extract<Reply, { kind: 'batch' }>> = {},
): Reply {
  const publications = Array.from({ length: upto - after }, (_, index) => publication(after + index + 1));
  return { kind: 'batch', view: 7, after, upto, publications, ...over };
}

export function runOf(after: number, upto: number): Uint8Array {
  const offsets = Array.from({ length: upto - after }, (_, index) => after + index + 1);
  return concatBytes(offsets.map((offset) => protobufCodec.encodePublication('a', publication(offset))));
}

export function compressed(after: number, upto: number, dictionary?: SharedDictionary) {
  const body = deflateBody(runOf(after, upto), dictionary);
  return { kind: 'batch', view: 7, after, upto, publications: [], compressed: body } as const;
}

export function announced({ dictionary, data }: SharedDictionary, view = 7): Reply {
  return { kind: 'dictionary', view, dictionary, data, crc32: crc32(data) };
}

export function reset(over: Partial<Extract<Reply, { kind: 'reset' }>> = {}): Reply {
  return { kind: 'reset', view: 7, topic: 'a', epoch: 'e1', offset: 0, mode: 'stream', ...over };
}

export function snapshot(over: Partial<Extract<Reply, { kind: 'snapshot' }>> = {}): Reply {
  const whole = { publications: [], first: true, last: true };
  return { kind: 'snapshot', view: 7, topic: 'a', epoch: 'e1', offset: 0, ...whole, ...over };
}

/** What a subscription tells, in order, in short. */
export function record(subscription: Subscription): unknown[] {
  const told: unknown[] = [];
  subscription.on('publication', ({ offset }) => told.push(offset));
  subscription.on('gap', ({ missing }) => told.push(missing ? ['gap', missing.after, missing.upto] : 'gap'));
  subscription.on('recovered', () => told.push('recovered'));
  subscription.on('reset', ({ epoch }) => told.push(['reset', epoch]));
  subscription.on('snapshot', (entries) => told.push(['snapshot', ...entries.keys()]));
  subscription.on('lagging', () => told.push('lagging'));
  subscription.on('caughtUp', () => told.push('caughtUp'));
  subscription.on('error', ({ code }) => told.push(['error', code]));
  return told;
}

export async function live(over: Partial<Granted> = {}) {
  const h = harness();
  const socket = await h.arrive();
  const subscription = h.client.subscribe('a');
  const told = record(subscription);
  await settled();
  grant(socket, over);
  return { ...h, h, socket, subscription, told, client: h.client, runtime: h.runtime };
}

export const topicsOf = (socket: FakeSocket) =>
  socket.command('subscribe').subscriptions.map(({ topic }) => topic);
