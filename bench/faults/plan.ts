import { crc32 } from 'node:zlib';

/** What publisher, clients and comparison agree on: all of a publication follows from its number. */

export interface TopicPlan {
  readonly name: string;
  readonly mode: 'stream' | 'state';
  readonly payloadBytes: number;
}

const topicCount = 20;
/** The last ones keep state. */
const stateTopics = 4;
const keysPerTopic = 25;
/**
 * One topic of each mode is fat: the kernel takes nearly 3 MB for a client that doesn't read, and a stall has to fill
 * more than that within seconds. Few clients are there, as all that load costs.
 */
const fatTopics = [0, topicCount - 1] as const;
const fatPercent = 6;

export const topics: readonly TopicPlan[] = Array.from({ length: topicCount }, (_, i) => {
  const isState = i >= topicCount - stateTopics;
  return {
    name: isState ? `server:${i}` : `topic${i}`,
    mode: isState ? 'state' : 'stream',
    payloadBytes: i === fatTopics[0] || i === fatTopics[1] ? 12_000 : 200,
  };
});

export const topicOf = (serial: number): number => serial % topics.length;
export const keyOf = (serial: number): number => Math.floor(serial / topics.length) % keysPerTopic;

export function topicOfClient(client: number): number {
  if (isFat(client)) return fatTopics[client % fatTopics.length]!;
  return 1 + (client % (topicCount - fatTopics.length));
}

/** Of the clients, those that fill buffers when they stall. */
export function isFat(client: number): boolean {
  return client % 100 < fatPercent;
}

const serialStart = '{"n":"'.length;
const serialDigits = 10;

/** JSON that doesn't shrink much, with its serial number in front. */
export function payloadOf(serial: number, random: () => number): Buffer {
  const { payloadBytes } = topics[topicOf(serial)]!;
  const noise = Buffer.alloc(Math.floor((payloadBytes * 3) / 4));
  for (let i = 0; i + 4 <= noise.length; i += 4) noise.writeUInt32LE(Math.floor(random() * 2 ** 32), i);
  return Buffer.from(
    `{"n":"${String(serial).padStart(serialDigits, '0')}","noise":"${noise.toString('base64')}"}`,
  );
}

export function serialOf(payload: Uint8Array): number {
  let serial = 0;
  for (let i = serialStart; i < serialStart + serialDigits; i++) serial = serial * 10 + payload[i]! - 48;
  return serial;
}

export function hashOf(payload: Uint8Array): number {
  return crc32(payload);
}

/** What every client must reach at the end of its topic. */
export interface Marker {
  readonly epoch: string;
  readonly offset: number;
}
