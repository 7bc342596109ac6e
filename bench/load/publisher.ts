import type { Tags } from '../../src/protocol/frames.ts';
import { publishOf } from '../../src/protocol/publication.ts';
import { protobufCodec } from '../../test/support/codecs.ts';
import type { PublishJob, PublishReport } from '../peers/peer.ts';
import { HttpPool } from '../support/http-pool.ts';
import { pace } from '../support/pacer.ts';
import { StampedPayloads } from '../support/payload.ts';
import { opcodes, RawClient } from '../support/raw-client.ts';
import { serveCalls } from '../support/worker.ts';

type Door = (topic: string, payload: Buffer, key: string | undefined, tags?: Tags) => Promise<boolean>;

const connections = 64;

function httpDoor(port: number): Door {
  const pool = new HttpPool(port, connections);
  return async (topic, payload, key, tags) => {
    const keyMember = key === undefined ? '' : `"key":"${key}",`;
    const tagsMember = tags === undefined ? '' : `"tags":${JSON.stringify(tags)},`;
    const body = `{"topic":"${topic}","type":"update",${keyMember}${tagsMember}"data":${payload.toString('latin1')}}`;
    return pool.post('/api/publish', body).then(
      ({ status }) => status === 200,
      () => false,
    );
  };
}

/** A session may send 100 commands a second by default: start the gateway with `--commands-per-second`. */
function webSocketDoor(port: number): Promise<Door> {
  const waiting = new Map<number, (published: boolean) => void>();
  let lastId = 0;
  return new Promise((resolve, reject) => {
    const client = new RawClient(
      { port, subprotocol: protobufCodec.subprotocol, wantedBytes: Number.POSITIVE_INFINITY },
      {
        opened: () =>
          resolve(
            (topic, bytes, key, tags) =>
              new Promise((published) => {
                const id = ++lastId;
                waiting.set(id, published);
                const payload = { format: 'json', bytes } as const;
                client.send(
                  opcodes.binary,
                  protobufCodec.encodeClientFrame({
                    kind: 'publish',
                    id,
                    ...publishOf({ topic, type: 'update', key, tags, payload }),
                  }),
                );
              }),
          ),
        frame(_opcode, bytes, start, end) {
          const decoded = protobufCodec.decodeServerFrame(bytes.subarray(start, end));
          if (!decoded.ok) return;
          waiting.get(decoded.frame.id)?.(decoded.frame.kind === 'published');
          waiting.delete(decoded.frame.id);
        },
        closed: (reason) => reject(new Error(reason)),
      },
    );
  });
}

let door: Door | undefined;

async function connect({ port, by }: { port: number; by: 'http' | 'ws' }): Promise<void> {
  door = by === 'http' ? httpDoor(port) : await webSocketDoor(port);
}

async function publish({ topics, rate, seconds, bytes, keys, tags }: PublishJob): Promise<PublishReport> {
  const payloads = new StampedPayloads(bytes, 1);
  const answers: Promise<boolean>[] = [];
  const { sent, latestMs } = await pace(rate, seconds, (index) => {
    const key = keys === undefined ? undefined : `k${index % keys}`;
    answers.push(door!(topics[index % topics.length]!, payloads.next(), key, tags));
  });
  const published = await Promise.all(answers);
  return { sent, latestMs, failed: published.filter((ok) => !ok).length };
}

const handlers = { connect, publish };
export type PublisherCalls = typeof handlers;
serveCalls(handlers);
