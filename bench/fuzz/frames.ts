import { codecs } from '../../test/support/codecs.ts';
import { clientFrame } from '../../test/support/raw-socket.ts';
import { seededRandom } from '../support/payload.ts';
import { localAddress, opcodes, RawClient } from '../support/raw-client.ts';
import { Mutator } from './mutate.ts';

export type CodecName = keyof typeof codecs;

export interface FramesReport {
  readonly frames: number;
  /** Connections that the gateway closed because of an invalid frame. */
  readonly closed: number;
  /** Rounds in which the last command got no reply and the connection was not closed. */
  readonly hangs: number;
  readonly longestMs: number;
}

export interface FramesOptions {
  readonly port: number;
  readonly codec: CodecName;
  readonly frames: number;
  readonly seed: number;
}

const perRound = 25;
const connections = 8;
const replyWithinMs = 20_000;

const samples = [
  { type: 'connect', id: 1, token: 'a.b.c', client: 'fuzz', capabilities: ['dictionaries'] },
  { type: 'subscribe', id: 2, topic: 'fuzz:a' },
  { type: 'subscribe', id: 3, topic: 'fuzz:*', intervalMs: 100, last: 5 },
  { type: 'subscribe', id: 4, topic: 'server:a', since: { epoch: 'e', offset: 3 } },
  { type: 'subscribe', id: 5, topic: 'fuzz:b', filter: { op: 'eq', tag: 'a', value: 'b' } },
  { type: 'subscribe', id: 6, topic: 'fuzz:b', filter: { op: 'lt', tag: 'a', number: 4.5 } },
  { type: 'subscribe', id: 7, subscriptions: [{ topic: 'fuzz:c' }, { topic: 'fuzz:d', watch: true }] },
  { type: 'unsubscribe', id: 8, views: [1, 2] },
  { type: 'unsubscribe', id: 9, topics: ['fuzz:a'] },
  {
    type: 'publish',
    id: 10,
    topic: 'fuzz:a',
    event: 'e',
    key: 'k',
    tags: { a: 'b' },
    data: { x: [1, 2.5, 'y'] },
  },
  {
    type: 'publish',
    id: 11,
    topic: 'server:a',
    event: 'e',
    key: 'k',
    ttlMs: 1000,
    messageId: 'm',
    data: null,
  },
  { type: 'history', id: 12, topic: 'fuzz:a', after: 1, limit: 5 },
  { type: 'presence', id: 13, topic: 'fuzz:a' },
  { type: 'status', id: 14 },
  { type: 'refresh', id: 15, token: 'a.b.c' },
  { type: 'ping', id: 16, roundTripMs: 1.5 },
  { type: 'call', id: 17, method: 'm', data: { a: 1 } },
];

/** Valid frames of the codec, in the fields that both codecs have. */
function validFrames(name: CodecName): Uint8Array[] {
  const texts = samples.map((sample) => Buffer.from(JSON.stringify(sample)));
  if (name === 'json') return texts;
  return texts.flatMap((text) => {
    const decoded = codecs.json.decodeClientFrame(text);
    return decoded.ok ? [codecs[name].encodeClientFrame(decoded.frame)] : [];
  });
}

/**
 * Sends mutated frames, and after every few a valid command, which must get a reply unless the connection is closed.
 */
export async function fuzzFrames({ port, codec: name, frames, seed }: FramesOptions): Promise<FramesReport> {
  const codec = codecs[name];
  const mutator = new Mutator(seededRandom(seed));
  const valid = validFrames(name);
  const report = { frames: 0, closed: 0, hangs: 0, longestMs: 0 };
  const opcode = codec.binary ? opcodes.binary : opcodes.text;

  const next = (): Buffer => {
    const sample = mutator.pick(valid);
    // A text that is not UTF-8 closes the connection before anything reads it.
    const isText = !codec.binary && mutator.chance(0.9);
    const bytes = isText
      ? Buffer.from(mutator.text(Buffer.from(sample).toString()))
      : mutator.bytes(sample, valid);
    report.frames++;
    return clientFrame(mutator.chance(0.01) ? (opcode === 1 ? 2 : 1) : opcode, bytes);
  };

  async function converse(index: number): Promise<void> {
    let id = 1_000_000;
    while (report.frames < frames) {
      let heard: (isReply: boolean) => void = () => undefined;
      let isOpen = true;
      const client = new RawClient(
        {
          port,
          path: '/ws',
          subprotocol: codec.subprotocol,
          localAddress: localAddress(index, 1),
          wantedBytes: 512,
        },
        {
          opened: () => heard(true),
          frame: (_opcode, bytes, start, end, length) => {
            if (length !== end - start) return;
            const decoded = codec.decodeServerFrame(bytes.subarray(start, end));
            if (decoded.ok && decoded.frame.kind === 'pong' && decoded.frame.id === id) heard(true);
          },
          closed: () => {
            isOpen = false;
            heard(false);
          },
        },
      );
      const answer = () => {
        const startMs = performance.now();
        return new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => {
            report.hangs++;
            resolve(false);
          }, replyWithinMs);
          heard = (isReply) => {
            clearTimeout(timer);
            report.longestMs = Math.max(report.longestMs, performance.now() - startMs);
            resolve(isReply);
          };
        });
      };
      if (!(await answer())) continue;
      while (isOpen && report.frames < frames) {
        id++;
        const round = Array.from({ length: perRound }, next);
        const ping = codec.encodeClientFrame({ kind: 'ping', id });
        client.sendRaw(Buffer.concat([...round, clientFrame(opcode, ping)]));
        if (!(await answer())) break;
      }
      if (!isOpen) report.closed++;
      client.destroy();
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, i) => converse(i)));
  return report;
}
