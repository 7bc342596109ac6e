import { expect, test } from 'vitest';
import { endWithUnnamedLoss } from '../../../src/sessions/subscriptions/unnamed-loss.ts';
import { makeGateway } from '../fixtures.ts';

test('sessions that no frame tells of a loss end in turns, and are sent nothing and not heard before', async () => {
  const { connect, sessions, publish, settle, turns } = await makeGateway({ turnBudgetMs: 0 });
  for (const topic of ['known', '$all']) await publish(topic, {});
  const clients = ['a:*', 'known', 'empty', 'b:*', 'c:*'].map((topic) => {
    const client = connect();
    client.command({ kind: 'subscribe', id: 1, subscriptions: [{ topic }] });
    return { topic, ...client };
  });
  await settle();
  const ended = () =>
    clients.flatMap(({ topic, connection }) => (connection.endedWith === 'going_away' ? [topic] : []));
  endWithUnnamedLoss(sessions, 0);
  expect(ended()).toEqual(['a:*']);
  const [, , empty, b, c] = clients;
  // Its client has gone by itself.
  sessions.close(b!.session);
  empty!.command({ kind: 'ping', id: 2 });
  await publish('c:1', {});
  await publish('empty', {});
  while (turns.asked > 0 && !ended().includes('c:*')) turns.turn();
  expect(ended()).toEqual(['a:*', 'empty', 'c:*']);
  await settle();
  for (const { connection } of [empty!, c!]) {
    expect(connection.of('goingAway')).toHaveLength(1);
    expect([connection.of('batch'), connection.replies(2)]).toEqual([[], []]);
  }
  expect(clients[1]!.connection.of('goingAway')).toEqual([]);
});
