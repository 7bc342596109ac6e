import { expect, test } from 'vitest';
import type { ApiPorts } from '../../src/api/ports.ts';
import type { Call } from '../../src/api/route.ts';
import { localIdentity } from '../../src/auth/identity.ts';
import { publishToAll } from '../../src/compat/publishing.ts';

test.each([
  ['for one topic is published in the turn in which it comes', 1, 100, 0],
  ['for many topics is published in a turn of its own', 1000, 100, 1],
  ['that is large is published in a turn of its own', 1, 300_000, 1],
  ['for several topics is published in as many turns as its copies are large', 4, 200_000, 4],
])('a message of an older system %s', async (_, count, bytes, turns) => {
  const topics = Array.from({ length: count }, (_, i) => `room:${i}`);
  let taken = 0;
  const published: string[] = [];
  const ports = {
    authorize: () => undefined,
    application: {},
    bodyMaxBytes: 1e6,
    turns: {
      run: async (_payer: unknown, work: () => unknown) => {
        taken++;
        return work();
      },
    },
    publisher: {
      publish: (all: readonly { topic: string }[]) =>
        all.map(({ topic }) => {
          published.push(topic);
          return { ok: true };
        }),
    },
  } as unknown as ApiPorts;
  const body = { payload: new Uint8Array(bytes), timestampMs: undefined };
  await publishToAll(topics, { type: 't', body }, { identity: localIdentity } as Call, ports, () => 1);
  expect([taken, published]).toEqual([turns, topics]);
});
