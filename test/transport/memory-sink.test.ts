import { expect, test } from 'vitest';
import { anonymousIdentity } from '../../src/auth/identity.ts';
import type { CloseCode } from '../../src/errors.ts';
import { makeGateway, peerOf } from '../sessions/fixtures.ts';
import { codecs } from '../support/codecs.ts';
import { MemoryConnection, MemorySink } from '../support/memory-transport.ts';
import { type Far, type Gateway, sinkContract, type Transport } from './sink-contract.ts';

async function open(
  { sessions, connectionLimits, counts }: Gateway,
  backpressureMaxBytes: number,
): Promise<Transport> {
  const sink = new MemorySink(counts.metrics);
  return {
    sink,
    async connect(codec): Promise<Far> {
      const connection = new MemoryConnection(sink, codec, backpressureMaxBytes);
      const peer = peerOf(anonymousIdentity, connectionLimits);
      const session = sessions.open(peer, connection);
      let ended: CloseCode | 'terminated' | undefined;
      connection.opened(session, (code) => {
        ended = code;
        sessions.close(session);
      });
      return {
        session,
        messages: connection.messages,
        get ended() {
          return ended;
        },
        pause: () => connection.pause(),
        resume: () => connection.resume(),
      };
    },
    close: () => undefined,
  };
}

sinkContract({ name: 'memory', open, backpressureMaxBytes: 100_000, overflowBytes: 400_000 });

test('members of two sinks hear one view, in the same bytes', async () => {
  const gateway = await makeGateway();
  const [one, two] = [await open(gateway, 100_000), await open(gateway, 100_000)];
  const members = [await one.connect(codecs.json), await two.connect(codecs.json)];
  for (const { session } of members) gateway.sessions.subscribeAtOpening(session, 't');
  await gateway.settle();
  await gateway.publish('t');
  await gateway.settle();
  const [first, second] = members.map(({ messages }) => messages.at(-1));
  expect(Buffer.from(first!).toString()).toContain('"offset":1');
  expect(second).toBe(first);
});
