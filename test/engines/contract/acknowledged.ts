import { describe, expect, test } from 'vitest';
import { acknowledgedMax, type Opened, positions, request } from './harness.ts';

export function acknowledgedContract(opened: Opened): void {
  describe('acknowledge', () => {
    test('keeps the highest offset per topic and user', async () => {
      const { engine } = await opened();
      expect(engine.acknowledged.get('a', 'alice')).toBeUndefined();
      engine.acknowledged.set('a', 'alice', { epoch: 'e', offset: 5 });
      engine.acknowledged.set('a', 'alice', { epoch: 'e', offset: 4 });
      engine.acknowledged.set('a', 'bob', { epoch: 'e', offset: 2 });
      engine.acknowledged.set('b', 'alice', { epoch: 'e', offset: 1 });
      const known = (topic: string, user: string) => engine.acknowledged.get(topic, user)?.offset;
      expect([known('a', 'alice'), known('a', 'bob'), known('b', 'alice'), known('b', 'bob')]).toEqual([
        ...[5, 2, 1],
        undefined,
      ]);
      expect(engine.acknowledged.count).toBe(3);
    });

    test('begins anew with another epoch', async () => {
      const { engine } = await opened();
      engine.acknowledged.set('a', 'alice', { epoch: 'e', offset: 5 });
      engine.acknowledged.set('a', 'alice', { epoch: 'f', offset: 1 });
      expect(engine.acknowledged.get('a', 'alice')).toEqual({ epoch: 'f', offset: 1 });
    });

    test.each(['close', 'an append'])('survives the process of a retaining engine, by %s', async (how) => {
      const { engine, reopen } = await opened();
      const users = ['alice', 'ü', 'a\0b', 'x'.repeat(200)];
      const [position] = positions(await engine.append([request('a')]));
      for (const user of users) engine.acknowledged.set('a', user, position!);
      engine.acknowledged.set('a', 'alice', { epoch: position!.epoch, offset: 2 });
      if (how === 'an append') await engine.append([request('b')]);
      await engine.close();
      const again = (await reopen()).engine;
      if (!again.retains) return expect(again.acknowledged.count).toBe(0);
      expect(users.map((user) => again.acknowledged.get('a', user)?.offset)).toEqual([2, 1, 1, 1]);
      expect(again.acknowledged.get('a', 'alice')?.epoch).toBe(position?.epoch);
    });

    test('survives that the content of the topic goes', async () => {
      const { engine } = await opened();
      const [position] = positions(await engine.append([request('a')]));
      engine.acknowledged.set('a', 'alice', position!);
      engine.forget('a');
      expect(engine.acknowledged.get('a', 'alice')).toEqual(position);
    });

    test('drops what was not used for longest: of a user over its own limit, of all over that of all', async () => {
      const { engine, reopen } = await opened();
      const { perUser, total } = acknowledgedMax;
      const at = { epoch: 'e', offset: 1 };
      for (let i = 0; i < perUser; i++) engine.acknowledged.set(`t${i}`, 'alice', at);
      expect(engine.acknowledged.get('t0', 'alice')).toEqual(at);
      engine.acknowledged.set(`t${perUser}`, 'alice', at);
      expect([engine.acknowledged.get('t0', 'alice'), engine.acknowledged.count]).toEqual([
        undefined,
        perUser,
      ]);
      for (let i = perUser; i < total; i++) engine.acknowledged.set('t', `user${i}`, at);
      expect([engine.acknowledged.get('t1', 'alice'), engine.acknowledged.count]).toEqual([at, total]);
      engine.acknowledged.set('t', 'last', at);
      expect([engine.acknowledged.get('t1', 'alice'), engine.acknowledged.count]).toEqual([undefined, total]);
      await engine.close();
      const again = (await reopen()).engine;
      if (again.retains)
        expect([again.acknowledged.get('t1', 'alice'), again.acknowledged.count]).toEqual([undefined, total]);
    });
  });
}
