import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SystemsGateway, startSystems } from './gateway.ts';

let gateway: SystemsGateway;
beforeAll(async () => {
  gateway = await startSystems();
});
afterAll(() => gateway.close());

test('D3: content changes reach the members of a room, and no one else', async () => {
  const member = { pattern: 'room:content-*', allow: ['subscribe'] } as const;
  const [ada, bob, eve] = [
    await gateway.open('d3-ada', member),
    await gateway.open('d3-bob', member),
    await gateway.open('d3-eve', member),
  ];
  for (const each of [ada, bob]) await each.call({ type: 'room_subscribe', room: 'content-1' });
  await eve.call({ type: 'room_subscribe', room: 'content-2' });
  await gateway.publish({ topic: 'room:content-1', type: 'content_update', data: { version: 2 } });
  await gateway.publish({ topic: 'room:content-2', type: 'content_update', data: { version: 9 } });
  for (const each of [ada, bob])
    expect(await each.count('room:content-1', 1)).toMatchObject([{ data: { version: 2 } }]);
  expect(await eve.count('room:content-2', 1)).toMatchObject([{ data: { version: 9 } }]);
  expect(eve.publications('room:content-1')).toEqual([]);
});
