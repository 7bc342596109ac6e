import { crc32 } from 'node:zlib';

/** Shared by publisher, clients and comparison: everything about a publication follows from its number. */

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
 * One topic of each mode has large payloads: the kernel buffers nearly 3 MB for a client that does not read, and a
 * stall has to exceed that within seconds. Few clients subscribe to it, because the load is expensive.
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

/** The share of clients that fill buffers when they stall. */
export function isFat(client: number): boolean {
  return client % 100 < fatPercent;
}

const serialStart = '{"n":"'.length;
const serialDigits = 10;

/** JSON that compresses badly, with its serial number first. */
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

/** The end that every client of a topic must reach. */
export interface Marker {
  readonly epoch: string;
  readonly offset: number;
}
