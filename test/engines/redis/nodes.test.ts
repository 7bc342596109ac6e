import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { opened } from '../../support/opened.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { nodeTimeoutMs } from './counts-suite.ts';
import { commandsTo, type Node, openNode, serverAt, single, until, valued } from './fixtures.ts';

let redis: RedisProcess;
let nodes: Node[] = [];

async function turns(count: number): Promise<'waited'> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
  return 'waited';
}

async function open(timeoutMs?: number): Promise<Node> {
  const node = await openNode({ server: single(redis.url, timeoutMs) });
  nodes.push(node);
  return node;
}

const offsetOf = (node: Node, topic: string) => node.feed.topics.get(topic)?.offset ?? 0;
const faults = () => nodes.flatMap(({ feed }) => feed.faults);

afterEach(() => {
  nodes = [];
});

describe('nodes of one Redis', () => {
  beforeEach(async () => {
    redis = await opened(startRedis());
  });

  test('publish anywhere; every node hears of everything once, in one order', async () => {
    const all = [await open(), await open(), await open()];
    const count = 200;
    await Promise.all(
      all.flatMap((node, n) =>
        Array.from({ length: count }, (_, i) => node.publish(i % 3 === 0 ? 'b' : 'a', `${n}.${i}`)),
      ),
    );
    const expected = { a: 3 * 133, b: 3 * 67 };
    await until(
      () => all.every((node) => offsetOf(node, 'a') === expected.a && offsetOf(node, 'b') === expected.b),
      ...all,
    );
    const [first] = all;
    for (const { feed, engine } of all) {
      expect(feed.topics).toEqual(first?.feed.topics);
      expect({ epoch: engine.epoch, seq: engine.seq }).toEqual({
        epoch: first?.engine.epoch,
        seq: 3 * count,
      });
    }
    expect(faults()).toEqual([]);
  });

  test('know of a topic that only another had, also when its content is gone', async () => {
    const [a, b] = [await open(), await open()];
    await a.publish('a', '1');
    await a.publish('b', '1');
    await until(() => offsetOf(b, 'b') === 1, b);
    a.engine.forget('a');
    await a.publish('c', '1');
    const c = await open();
    expect(c.engine.numbering('a')).toEqual(a.engine.numbering('a'));
    expect([...c.engine.numberings(0)].map(([topic]) => topic)).toEqual(['a']);
    await b.publish('a', '2');
    await until(() => offsetOf(a, 'a') === 2 && offsetOf(b, 'a') === 2, a, b);
    await expect.poll(() => c.engine.numbering('a')).toBeUndefined();
    expect(faults()).toEqual([]);
  });

  test('a node that was away is told what it missed before anything new, from the log or else from the topics', async () => {
    const [a, b] = [await open(), await open()];
    const commands = commandsTo(redis.url);
    await a.publish('a', '1');
    await until(() => offsetOf(b, 'a') === 1, b);
    const cut = async (isLogLost: boolean) => {
      const tails = String(await commands.client('LIST'))
        .split('\n')
        .filter((line) => line.includes('name=sluice-'));
      const resets = b.feed.resets.length;
      await Promise.all(Array.from({ length: 20 }, (_, i) => a.publish('a', `cut ${i}`)));
      for (const line of tails)
        await commands.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '').catch(() => 0);
      if (isLogLost) await commands.xtrim('{test}:log', 'MAXLEN', 0);
      await Promise.all(Array.from({ length: 20 }, (_, i) => a.publish('a', `after ${i}`)));
      await until(() => offsetOf(b, 'a') === offsetOf(a, 'a'), a, b);
      expect(b.feed.resets.length).toBe(resets);
    };
    await cut(false);
    await cut(true);
    expect(b.feed.topics).toEqual(a.feed.topics);
    expect(faults()).toEqual([]);
  });

  test('one that missed what is no longer kept is told so, and goes on with what there is', async () => {
    const a = await open();
    const commands = commandsTo(redis.url);
    const idsOf = async () =>
      [...String(await commands.client('LIST')).matchAll(/^id=(\d+) .*name=sluice-/gm)].map(
        ([, id]) => id as string,
      );
    const others = await idsOf();
    const b = await open();
    await a.publish('a', '1');
    await a.publish('state', 'old', { key: 'k' });
    await until(() => offsetOf(b, 'state') === 1, b);
    // Who is connected stays; b can't come back.
    await commands.config('SET', 'requirepass', 'secret');
    for (const id of await idsOf()) if (!others.includes(id)) await commands.client('KILL', 'ID', id);
    await until(() => b.feed.cause !== undefined, b);
    for (const value of ['2', '3', '4']) await a.publish('a', value);
    await a.publish('state', 'new', { key: 'k' });
    await commands.xtrim('{test}:log', 'MAXLEN', 0);
    await commands.xtrim('{test}:content:a', 'MAXLEN', 1);
    await commands.config('SET', 'requirepass', '');
    await until(() => b.feed.cause === undefined, b);
    const epoch = a.feed.topics.get('a')?.epoch;
    expect(b.feed.resets).toEqual([{ topic: 'a', epoch, offset: 4, stored: 1 }]);
    expect(b.feed.topics.get('state')?.values).toEqual(['"old"', '"new"']);
    await a.publish('a', '5');
    await until(() => offsetOf(b, 'a') === 5, b);
    expect(faults()).toEqual([]);
  });

  test('while Redis hangs publishers are told at once; what it had done is not done again', async () => {
    const [a, b] = [await open(1000), await open(1000)];
    await a.publish('a', '0');
    redis.signal('SIGSTOP');
    const hung = [1, 2, 3].map((i) => valued('a', String(i)));
    const answers = await Promise.all(hung.map((each) => a.engine.append([each])));
    expect(answers.map(([outcome]) => outcome?.ok === false && outcome.error.code)).toEqual(
      hung.map(() => 'engine_unavailable'),
    );
    expect(a.feed.cause).toBeDefined();
    // What is refused after a few turns of the event loop has not waited for Redis.
    const refused = a.engine.append([valued('a', 'refused')]);
    expect(await Promise.race([refused, turns(3)])).toMatchObject([{ ok: false }]);
    redis.signal('SIGCONT');
    await until(() => a.feed.cause === undefined, a);
    const outcomes = await Promise.all(hung.map((each) => a.engine.append([each])));
    expect(outcomes.map(([outcome]) => outcome?.ok)).toEqual([true, true, true]);
    await until(() => offsetOf(a, 'a') >= 4 && offsetOf(b, 'a') >= 4, a, b);
    expect(b.feed.topics.get('a')?.values.toSorted()).toEqual(['"0"', '"1"', '"2"', '"3"']);
    expect(faults()).toEqual([]);
  });

  test('a clock of Redis that is set back keeps no node that is gone, and holds up no node that starts', async () => {
    const a = await open();
    const commands = commandsTo(redis.url);
    const laterMs = Date.now() + 3_600_000;
    await commands.hset('{test}:nodes', 'gone', laterMs);
    await expect.poll(async () => Number(await commands.hget('{test}:nodes', 'gone'))).toBeLessThan(laterMs);
    await commands.sadd('{test}:census', 'gone');
    await commands.hset('{test}:meta', 'census', laterMs);
    const b = await open();
    await b.publish('a', '1');
    await until(() => offsetOf(a, 'a') === 1, a);
    expect(faults()).toEqual([]);
  });

  test('nodes go by one clock, whatever the clocks of their machines and of Redis say', async () => {
    const hourMs = 3_600_000;
    const commands = commandsTo(redis.url);
    const ahead = async () => Math.round(Number(await commands.hget('{test}:meta', 'ahead')) / hourMs);
    await commands.hset('{test}:meta', 'ahead', hourMs);
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const a = await open();
    expect(Math.round((a.engine.nowMs() - Date.now()) / hourMs)).toBe(1);
    expect(String(warned.mock.calls)).toContain(
      'The clock of this machine is 3600 s behind the clock of Redis',
    );
    // As if the clock of Redis were set back by two hours.
    await commands.hset('{test}:meta', 'ahead', -hourMs, 'seen', Date.now() + 2 * hourMs);
    await expect.poll(ahead).toBe(1);
    const b = await open();
    warned.mockRestore();
    expect(Math.abs(b.engine.nowMs() - a.engine.nowMs())).toBeLessThan(hourMs / 2);
    const first = await a.publish('a', '1', { messageId: 'once' });
    expect(await b.publish('a', '1', { messageId: 'once' })).toEqual({ ...first, duplicate: true });
  });

  test('neither a node that lags nor a Redis that was paused or whose clock was set lets a node look gone', async () => {
    const hourMs = 3_600_000;
    const server = await opened(serverAt(single(redis.url)));
    const commands = commandsTo(redis.url);
    const hello = (node: string, nowMs: number) =>
      server.hello({ node, epoch: '', seq: 0, term: '', salt: 'salt', fence: 0, nowMs });
    const { nowMs } = await hello('a', 0);
    // Its machine was paused.
    const lagging = await hello('b', nowMs - hourMs);
    expect([Math.round((lagging.nowMs - nowMs) / hourMs), lagging.nodes.length]).toEqual([0, 2]);
    await server.count('b', [], '', 'anew');
    for (const jumpMs of [2 * hourMs, -2 * hourMs]) {
      const seen = Date.now() + jumpMs;
      const heard = seen - Number(await commands.hget('{test}:meta', 'lost'));
      await commands.hset('{test}:meta', 'seen', seen);
      await commands.hset('{test}:nodes', 'a', heard, 'b', heard);
      expect(await server.silent()).toEqual([]);
      for (const node of ['a', 'b'])
        expect(await hello(node, nowMs)).toMatchObject({ wasGone: false, nodes: { length: 2 } });
      expect(await server.silent()).toEqual([]);
    }
  });

  test('a server that takes over waits for the nodes of its former’s last moments, however long ago those were', async () => {
    const server = await opened(serverAt(single(redis.url)));
    const commands = commandsTo(redis.url);
    const hello = (node: string, more = {}) =>
      server.hello({ node, epoch: '', seq: 0, term: '', salt: node, fence: 0, nowMs: 0, ...more });
    const { epoch, term } = await hello('a');
    for (const node of ['b', 'silent']) await hello(node);
    const agoMs = Date.now() - 60_000;
    await commands.hset('{test}:nodes', 'a', agoMs, 'b', agoMs - 1000, 'silent', agoMs - 2 * nodeTimeoutMs);
    await commands.hset('{test}:meta', 'run', 'former', 'seen', agoMs, 'seq', 3);
    expect(await hello('a', { epoch, term, seq: 3 })).toMatchObject({ epoch, waitsAfter: 'former' });
    const taken = await hello('b', { epoch, term, seq: 3 });
    expect(taken).toMatchObject({ epoch, waitsAfter: undefined });
    // Others go on.
    await commands.hset('{test}:meta', 'seq', 9);
    for (const known of [
      { term, seq: 3 },
      { term: taken.term, seq: 9 },
    ])
      expect(await hello('a', { epoch, ...known })).toMatchObject({ epoch });
    // It has heard of a commit that the server did not have when it took over.
    expect((await hello('silent', { epoch, term, seq: 4 })).epoch).toBe('silent');
    expect((await server.picture(term)).former).toEqual({ epoch, keptSeq: 3 });
    expect((await server.picture(taken.term)).former).toEqual({ epoch, keptSeq: 9 });
  });

  test('gateways of a version that tells nothing of the clock stay known beside one that starts', async () => {
    const server = await opened(serverAt(single(redis.url)));
    const commands = commandsTo(redis.url);
    const hello = (node: string) =>
      server.hello({ node, epoch: '', seq: 0, term: '', salt: 'salt', fence: 0, nowMs: 0 });
    await hello('tried before');
    await commands.hset('{test}:meta', 'seen', Date.now() - 2 * nodeTimeoutMs);
    const heard = String(Date.now());
    await commands.hset('{test}:nodes', 'older', heard);
    await hello('newer');
    expect(await commands.hget('{test}:nodes', 'older')).toBe(heard);
  });

  test('a node that was silent for so long that the others forgot it is told so', async () => {
    const [a, b] = [await open(), await open()];
    const commands = commandsTo(redis.url);
    const returned: string[] = [];
    for (const { bus } of [a.engine, b.engine])
      bus?.listen({
        message: () => undefined,
        nodes: () => undefined,
        returned: () => returned.push(bus.node),
      });
    const name = b.engine.bus?.node ?? '';
    await commands.hset('{test}:nodes', name, a.engine.nowMs() - 600_000);
    await expect.poll(() => returned).toContain(name);
    expect(new Set(returned)).toEqual(new Set([name]));
  });

  test('when Redis has lost everything, all topics begin anew, and are told so', async () => {
    const [a, b] = [await open(), await open()];
    await a.publish('a', '1');
    await a.publish('state', '1', { key: 'k' });
    const before = { epoch: a.engine.epoch, seq: a.engine.seq };
    await redis.kill();
    await until(() => a.feed.cause !== undefined && b.feed.cause !== undefined, a, b);
    await redis.start();
    await until(() => a.feed.cause === undefined && b.feed.cause === undefined, a, b);
    for (const { feed, engine } of [a, b]) {
      expect(feed.resets.map(({ topic, epoch }) => [topic, epoch])).toEqual([
        ['a', ''],
        ['state', ''],
      ]);
      expect(engine.epoch).not.toBe(before.epoch);
      expect(engine.seq).toBeGreaterThanOrEqual(before.seq);
    }
    const outcome = await b.publish('a', '2');
    expect(outcome).toMatchObject({ ok: true, offset: 1 });
    await until(() => offsetOf(a, 'a') === 1, a);
    expect(a.engine.epoch).toBe(b.engine.epoch);
    expect(faults()).toEqual([]);
  });
});

describe('a Redis that keeps its data', () => {
  beforeEach(async () => {
    redis = await opened(startRedis('--appendonly', 'yes', '--appendfsync', 'always'));
  });

  test('killed in mid-stream and started again loses and doubles nothing, in the same epoch', async () => {
    const [a, b] = [await open(), await open()];
    const epoch = ((await a.publish('a', 'first')) as { epoch: string }).epoch;
    const values = Array.from({ length: 300 }, (_, i) => `v${i}`);
    const published = Promise.all(values.map((value, i) => (i % 2 === 0 ? a : b).publish('a', value)));
    await until(() => offsetOf(a, 'a') > 1, a);
    await redis.kill();
    await redis.start();
    const outcomes = await published;
    await until(() => offsetOf(a, 'a') === 301 && offsetOf(b, 'a') === 301, a, b);
    expect(a.feed.topics.get('a')?.values.toSorted()).toEqual(
      ['first', ...values].map((value) => JSON.stringify(value)).toSorted(),
    );
    expect(b.feed.topics).toEqual(a.feed.topics);
    expect(new Set(outcomes.map((outcome) => outcome.ok && outcome.epoch))).toEqual(new Set([epoch]));
    expect([a.feed.resets, b.feed.resets, faults()]).toEqual([[], [], []]);
  });

  test('started again with older data begins every numbering anew, and gives no offset of an epoch twice', async () => {
    const [a, b] = [await open(), await open()];
    const commands = commandsTo(redis.url);
    const { epoch } = (await a.publish('a', '1')) as { epoch: string };
    await a.publish('state', 'kept', { key: 'k' });
    await commands.config('SET', 'appendonly', 'no');
    await commands.save();
    await commands.config('SET', 'save', '');
    await a.publish('a', 'lost');
    await until(() => offsetOf(b, 'a') === 2, b);
    commands.disconnect();
    await redis.kill();
    await redis.start('--appendonly', 'no');
    await until(() => [a, b].every(({ feed }) => feed.cause === undefined && feed.resets.length === 2), a, b);
    for (const { feed } of [a, b])
      expect(feed.resets).toMatchObject([
        { topic: 'a', offset: 1, stored: 1 },
        { topic: 'state', offset: 1, stored: 1 },
      ]);
    const outcome = await b.publish('a', '2');
    expect(outcome).toMatchObject({ ok: true, offset: 2 });
    expect(outcome.ok && outcome.epoch).not.toBe(epoch);
    await until(() => offsetOf(a, 'a') === 2, a);
    expect(faults()).toEqual([]);
  });
});
