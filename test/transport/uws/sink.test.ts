import { afterEach, describe, expect, it } from 'vitest';
import type { PublishFields } from '../../../src/protocol/frames.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { type Frame, JsonClient } from '../../support/json-client.ts';

const backpressureMaxBytes = 256 * 1024;

let gateway: TestGateway;
const clients: JsonClient[] = [];

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.terminate();
  await gateway.close();
});

async function connect(): Promise<JsonClient> {
  const client = await JsonClient.open(gateway.wsUrl);
  clients.push(client);
  return client;
}

function publication(topic: string, bytes: number, more: Partial<PublishFields> = {}): PublishFields {
  const json = JSON.stringify('x'.repeat(bytes));
  const payload = { format: 'json', bytes: Buffer.from(json) } as const;
  return publishOf({ topic, type: 'e', payload, ...more });
}

/** Publishes until the client, which doesn't read, is over its limit, and not a frame more: it has lost none yet. */
async function fill(topic: string): Promise<void> {
  const deliveries = () => gateway.metric('sluice_deliveries_total');
  const before = await deliveries();
  for (let published = 0; (await gateway.metric('sluice_backpressure_bytes')) <= backpressureMaxBytes; ) {
    await gateway.broker.publish([publication(topic, 60_000)]);
    published++;
    // A busy feed collects for some milliseconds: two frames at once could be one too many.
    while ((await deliveries()) < before + published);
  }
  expect(await gateway.metric('sluice_drops_total')).toBe(0);
}

/** The ranges that the frames of a topic cover, as (after, upto]. */
function coverage(client: JsonClient, topic: string): [number, number][] {
  return client.frames
    .filter((frame) => frame['topic'] === topic && ('messages' in frame || 'timestamp' in frame))
    .map((frame) =>
      frame.type === 'batch'
        ? [frame['after'] as number, frame['upto'] as number]
        : [(frame['offset'] as number) - 1, frame['offset'] as number],
    );
}

describe('a session whose buffer is full', () => {
  it('gets the empty coverage of what is not for it after what was published before, not ahead of it', async () => {
    gateway = await startGateway({ backpressureMaxBytes, payloadMaxBytes: 61_440 });
    const [mine, other] = [await connect(), await connect()];
    const session = mine.frames[0]?.['session'] as string;
    await mine.call({ type: 'subscribe', subscriptions: [{ topic: 'fat' }, { topic: 't' }] });
    await other.call({ type: 'subscribe', topic: 't' });
    mine.socket.pause();
    await fill('fat');
    // One turn: a frame for both, one for the other alone, one for both.
    await gateway.broker.publish([
      publication('t', 1),
      publication('t', 2, { except: session }),
      publication('t', 3),
    ]);
    expect((await other.count('t', 3)).map((frame) => frame['offset'])).toEqual([1, 2, 3]);
    mine.socket.resume();
    const got = await mine.count('t', 2);
    expect(got.map((frame: Frame) => frame['offset'])).toEqual([1, 3]);
    await mine.until(({ type }) => type === 'caughtUp');
    let position = 0;
    for (const [after, upto] of coverage(mine, 't')) {
      expect(after).toBeLessThanOrEqual(position);
      position = Math.max(position, upto);
    }
    expect(position).toBe(3);
    const fats = mine.publications('fat').length;
    const { offset } = (await (await fetch(`${gateway.url}/api/topics/fat`)).json()) as { offset: number };
    expect(fats).toBe(offset);
    expect(await gateway.metric('sluice_deliveries_total')).toBe(fats + 2 + 3);
  });
});
