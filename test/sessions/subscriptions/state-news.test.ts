import { expect, test } from 'vitest';
import { anonymousIdentity } from '../../../src/auth/identity.ts';
import { StateNews } from '../../../src/sessions/subscriptions/state-news.ts';
import { codecs } from '../../support/codecs.ts';

function makeNews(count: number) {
  const world = { degraded: false, turn: () => undefined as unknown };
  const told: string[][] = Array.from({ length: count }, () => []);
  const sessions = told.map((frames, i) => ({
    codec: i % 2 === 0 ? codecs.json : codecs.protobuf,
    identity: anonymousIdentity,
    endedBy: undefined,
    outbox: { send: (bytes: Uint8Array) => frames.push(Buffer.from(bytes).toString('latin1')) },
  }));
  const news = new StateNews({
    sessions: () => sessions,
    isDegraded: () => world.degraded,
    nextTurn: async () => world.turn(),
  });
  return { world, told, news };
}

test('a change is told to each session, in its codec, over several turns', async () => {
  const { world, told, news } = makeNews(1000);
  let turns = 0;
  world.turn = () => turns++;
  world.degraded = true;
  await news.changed();
  expect(turns).toBe(5);
  for (const [i, frames] of told.entries())
    expect(frames).toEqual([
      i % 2 === 0 ? '{"type":"gatewayState","degraded":true}' : '\xc2\x01\x02\x08\x01',
    ]);
});

test('sessions that were told an outdated state are told again: the last state that each gets is the current one', async () => {
  const { world, told, news } = makeNews(1000);
  world.degraded = true;
  let turns = 0;
  world.turn = () => {
    if (++turns !== 2) return;
    world.degraded = false;
    void news.changed();
  };
  await news.changed();
  expect(told[0]).toHaveLength(2);
  for (const [i, frames] of told.entries())
    if (i % 2 === 0) expect(frames.at(-1)).toBe('{"type":"gatewayState","degraded":false}');
});
