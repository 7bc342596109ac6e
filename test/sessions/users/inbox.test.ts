import { describe, expect, test, vi } from 'vitest';
import { MemoryEngine } from '../../../src/engines/memory.ts';
import { cursorNow } from '../../../src/topics/cursor.ts';
import { topicOf } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { stored } from '../../topics/fixtures.ts';
import { makeGateway, user } from '../fixtures.ts';

const alice = 'user:alice';
type Gateway = Awaited<ReturnType<typeof makeGateway>>;
type Device = ReturnType<Gateway['connect']>;

/** A gateway, and clients of Alice that say nothing of where to start. */
async function inbox(options: Parameters<typeof makeGateway>[0] = {}) {
  const gateway = await makeGateway(options);
  const { settle } = gateway;
  let id = 100;
  return {
    ...gateway,
    async notify(count: number) {
      for (let i = 0; i < count; i++) await gateway.publish(alice);
      await settle();
    },
    async device(codec = codecs.json, name = 'alice') {
      const device = gateway.connect(user(name), codec);
      await settle();
      return device;
    },
    async acknowledge({ command }: Device, view: number, offset: number) {
      command({ kind: 'ping', id: id++, acks: [{ view, offset }] });
      await settle();
    },
    /** The sessions' own sweep, as often as it takes to count what has been sent. */
    sweep() {
      gateway.inbox.sweep();
      gateway.inbox.sweep();
    },
    async leave({ session }: Device) {
      gateway.sessions.close(session);
      await settle();
    },
  };
}

/** What this device was sent of the topic: offsets. */
function had({ connection }: Device): number[] {
  return connection.of('batch').flatMap(({ publications }) => publications.map(({ offset }) => offset));
}

function start({ connection }: Device) {
  const results = connection.of('subscribed').flatMap((frame) => frame.results);
  const granted = results.findLast((result) => result.topic === alice);
  if (granted === undefined || 'error' in granted) throw new Error('it was not subscribed');
  return granted;
}

describe('a user who was away', () => {
  test('gets on the first connection what was kept, and once', async () => {
    const { device, notify, sweep, leave } = await inbox();
    await notify(2);
    const first = await device();
    expect([start(first).inbox, start(first).recovered, had(first)]).toEqual([true, true, [1, 2]]);
    sweep();
    await leave(first);
    const second = await device();
    expect([start(second).recovered, had(second)]).toEqual([undefined, []]);
    await leave(second);
    await notify(1);
    expect(had(await device())).toEqual([3]);
  });

  test('is told what the ring does not keep any more', async () => {
    const { device, notify } = await inbox({ topic: { maxPublications: 2 } });
    await notify(5);
    const first = await device();
    expect(start(first)).toMatchObject({ recovered: false, missing: { after: 0, upto: 3 } });
    expect(had(first)).toEqual([4, 5]);
  });

  test('is told that something may be gone where the topic was numbered anew, once', async () => {
    const { broker, device, notify, sweep, leave } = await inbox();
    broker.acknowledged.set(alice, 'alice', { epoch: 'former', offset: 7 });
    await notify(2);
    const first = await device();
    expect([start(first).recovered, had(first)]).toEqual([false, [1, 2]]);
    sweep();
    await leave(first);
    await notify(1);
    const second = await device();
    expect([start(second).recovered, had(second)]).toEqual([true, [3]]);
  });

  test.each([codecs.json, codecs.protobuf])(
    'is told once, by $name, that something may be gone where the topic has lost its numbering',
    async (codec) => {
      const engine = new MemoryEngine({ isState: () => false, numberingsMax: 0 });
      const { broker, turns, device, notify, sweep, leave } = await inbox({ broker: { engine } });
      const user = async (expected: unknown) => {
        const own = await device(codec);
        expect([start(own).recovered, had(own)]).toEqual(expected);
        sweep();
        await leave(own);
      };
      await notify(1);
      broker.acknowledged.set(alice, 'alice', topicOf(broker, alice).position);
      turns.advance(4_000_000);
      broker.sweep();
      expect(broker.find(alice)).toBeUndefined();
      await user([false, []]);
      await user([undefined, []]);
      await notify(1);
      turns.advance(4_000_000);
      broker.sweep();
      await user([false, []]);
      await user([undefined, []]);
      await notify(1);
      await user([true, [1]]);
    },
  );

  test('is told once also if the client that was told acknowledges that it has nothing', async () => {
    const engine = new MemoryEngine({ isState: () => false, numberingsMax: 0 });
    const { broker, turns, connect, device, acknowledge, notify, settle, sweep, leave } = await inbox({
      broker: { engine },
    });
    await notify(1);
    const { position } = topicOf(broker, alice);
    broker.acknowledged.set(alice, 'alice', position);
    turns.advance(4_000_000);
    broker.sweep();
    const first = connect(user('alice'), codecs.protobuf);
    first.command({ kind: 'connect', id: 1, capabilities: ['acks'] });
    first.command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: alice, since: position }] });
    await settle();
    expect(start(first).recovered).toBe(false);
    await acknowledge(first, start(first).view, 0);
    sweep();
    await leave(first);
    const second = await device(codecs.protobuf);
    expect(start(second).recovered).toBe(undefined);
  });

  test('gets what only another user has had', async () => {
    const { device, notify, sweep, publish } = await inbox();
    await notify(1);
    await publish('user:bob');
    await device(codecs.json, 'bob');
    sweep();
    expect(had(await device())).toEqual([1]);
  });
});

describe('two devices', () => {
  test('both get what is live; a third does not get again what one of them has had', async () => {
    const { device, notify, sweep } = await inbox();
    const devices = [await device(), await device()];
    await notify(2);
    for (const each of devices) expect(had(each)).toEqual([1, 2]);
    sweep();
    expect(had(await device())).toEqual([]);
  });

  test('one that knows the topic as empty takes back nothing that another has had by another gateway', async () => {
    const { broker, device, sweep } = await inbox();
    await device();
    sweep();
    const had = { epoch: 'news', offset: 3 };
    broker.acknowledged.set(alice, 'alice', had);
    sweep();
    expect(broker.acknowledged.get(alice, 'alice')).toEqual(had);
  });

  test('one that subscribes by itself lacks nothing that the other has had before', async () => {
    const { device, notify, publish, settle, broker } = await inbox();
    await notify(1);
    const slower = await device();
    const faster = await device(codecs.protobuf);
    await publish(alice);
    broker.acknowledged.set(alice, 'alice', topicOf(broker, alice).position);
    for (const { command } of [slower, faster])
      command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: alice }] });
    await settle();
    expect([had(slower), had(faster)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test('one that does not read acknowledges nothing', async () => {
    const { device, notify, sweep } = await inbox();
    const stalled = await device();
    stalled.connection.stalled = true;
    await notify(1);
    sweep();
    expect(had(await device())).toEqual([1]);
  });

  test('one whose connection dropped something has not had it, before it is told so either', async () => {
    const {
      device,
      notify,
      sweep,
      leave,
      publish,
      turns,
      inbox: swept,
    } = await inbox({ backpressureMaxBytes: 10 });
    await notify(1);
    const first = await device();
    sweep();
    first.connection.stalled = true;
    await notify(1);
    turns.advance(100);
    await publish(alice);
    turns.turn();
    expect([first.connection.buffered > 10, had(first)]).toEqual([true, [1, 2]]);
    swept.sweep();
    first.connection.stalled = false;
    first.connection.drain();
    swept.sweep();
    await leave(first);
    expect(had(await device())).toEqual([2, 3]);
  });

  test('one that has just been sent something has not had it yet', async () => {
    const gateway = await inbox();
    await gateway.device();
    gateway.inbox.sweep();
    await gateway.notify(1);
    gateway.inbox.sweep();
    expect(had(await gateway.device())).toEqual([1]);
  });
});

describe('a device to which nothing comes', () => {
  test.each([0, 2])('costs the sweep nothing, after %i publications', async (count) => {
    const { device, notify, sweep, turns } = await inbox();
    const { session } = await device();
    await notify(count);
    sweep();
    sweep();
    turns.advance(100);
    const looked = vi.spyOn(session, 'acknowledges', 'get');
    sweep();
    expect(looked).not.toHaveBeenCalled();
    await notify(1);
    sweep();
    expect(looked).toHaveBeenCalled();
  });

  test('has had what comes then, also where the topic is numbered anew', async () => {
    const { broker, device, notify, settle, sweep, leave } = await inbox();
    const first = await device();
    const acknowledged = () => {
      sweep();
      sweep();
      return broker.acknowledged.get(alice, 'alice');
    };
    expect(acknowledged()).toBeUndefined();
    await notify(2);
    expect(acknowledged()).toEqual(topicOf(broker, alice).position);
    broker.reset(alice, 'next', 0);
    broker.appended(alice, 'next', [stored(1), stored(2)]);
    await settle();
    expect(acknowledged()).toEqual({ epoch: 'next', offset: 2 });
    await leave(first);
    broker.appended(alice, 'next', [stored(3)]);
    await settle();
    expect(acknowledged()).toEqual({ epoch: 'next', offset: 2 });
  });
});

describe('a client that acknowledges', () => {
  test('has had what it says, and nothing else', async () => {
    const { device, notify, sweep, acknowledge } = await inbox();
    const first = await device(codecs.protobuf);
    await notify(3);
    await acknowledge(first, start(first).view, 2);
    sweep();
    expect(had(await device(codecs.protobuf))).toEqual([3]);
  });

  test('may do so in JSON: from then on nothing else counts', async () => {
    const { device, notify, sweep, acknowledge } = await inbox();
    const first = await device();
    await notify(2);
    await acknowledge(first, start(first).view, 1);
    sweep();
    expect(had(await device())).toEqual([2]);
  });

  test('and said that it will has had nothing else, from its first subscription on', async () => {
    const { device, notify, sweep, settle } = await inbox();
    const first = await device(codecs.protobuf);
    first.command({ kind: 'connect', id: 1, capabilities: ['acks'] });
    await settle();
    await notify(2);
    sweep();
    expect(had(await device(codecs.protobuf))).toEqual([1, 2]);
  });

  test('by a cursor has had what came before that, unless it subscribes to something else than before', async () => {
    const { device, notify, settle, broker } = await inbox();
    const first = await device();
    await notify(2);
    const cursor = cursorNow(broker.commits);
    await notify(1);
    first.command({ kind: 'unsubscribe', id: 1, topics: [alice] });
    const subscribe = async (id: number, from: string) => {
      first.command({ kind: 'subscribe', id, subscriptions: [{ topic: alice, cursor: from }] });
      await settle();
      return had(await device(codecs.protobuf));
    };
    expect(await subscribe(2, `${cursor}!`)).toEqual([1, 2, 3]);
    first.command({ kind: 'unsubscribe', id: 3, topics: [alice] });
    expect(await subscribe(4, cursor)).toEqual([3]);
  });

  test('of a former epoch has had nothing of the new one, whatever it was sent', async () => {
    const { device, notify, settle, broker } = await inbox();
    const first = await device(codecs.protobuf);
    await notify(2);
    const { epoch } = topicOf(broker, alice);
    const next = 'next';
    broker.reset(alice, next, 0);
    broker.appended(alice, next, [stored(1), stored(2)]);
    await settle();
    const { view } = start(first);
    const acknowledge = async (of: string) => {
      first.command({ kind: 'ping', id: 1, acks: [{ view, epoch: of, offset: 2 }] });
      await settle();
      return broker.acknowledged.get(alice, 'alice');
    };
    expect(await acknowledge(epoch)).toBeUndefined();
    expect(await acknowledge(next)).toEqual({ epoch: next, offset: 2 });
  });

  test('is passed over where it can’t have had that, or is not subscribed there', async () => {
    const { device, notify, acknowledge } = await inbox();
    const first = await device(codecs.protobuf);
    await notify(2);
    await acknowledge(first, start(first).view, 3);
    await acknowledge(first, 4_000_000_000, 2);
    expect(had(await device(codecs.protobuf))).toEqual([1, 2]);
    await acknowledge(first, start(first).view, 2);
    expect(had(await device(codecs.protobuf))).toEqual([]);
  });
});

describe('a subscription', () => {
  test('that says where to start begins there', async () => {
    const { device, notify, settle } = await inbox();
    await notify(3);
    const first = await device(codecs.protobuf);
    const { epoch } = start(first);
    first.connection.forget();
    first.command({
      kind: 'subscribe',
      id: 1,
      subscriptions: [{ topic: alice, since: { epoch, offset: 2 } }],
    });
    await settle();
    expect(had(first)).toEqual([3]);
  });

  test('of a client without offsets goes on where the one of the gateway was', async () => {
    const { device, notify, settle } = await inbox();
    await notify(2);
    const first = await device();
    first.command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: alice }] });
    await settle();
    await notify(1);
    expect(had(first)).toEqual([1, 2, 3]);
  });

  test('with a filter is none of an inbox', async () => {
    const { device, settle } = await inbox();
    const first = await device(codecs.protobuf);
    const filter = { op: 'exists', tag: 'x' } as const;
    first.command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: alice, filter }] });
    await settle();
    const [reply] = first.connection.replies(1);
    expect(reply).toMatchObject({ results: [{ topic: alice }] });
    expect(reply).not.toMatchObject({ results: [{ inbox: true }] });
  });

  test('to a pattern is none of an inbox', async () => {
    const { device, settle } = await inbox();
    const { command, connection } = await device();
    const subscriptions = [{ topic: 'orders:1' }, { topic: 'orders:*' }];
    command({ kind: 'subscribe', id: 1, subscriptions });
    await settle();
    const [reply] = connection.replies(1);
    if (reply?.kind !== 'subscribed') throw new Error('it was not subscribed');
    expect(reply.results.map((result) => 'inbox' in result && result.inbox === true)).toEqual([true, false]);
  });

  test('to a topic without the option begins now', async () => {
    const { device, publish, settle } = await inbox();
    await publish('room:1');
    const first = await device();
    first.command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'room:1' }] });
    await settle();
    expect(had(first)).toEqual([]);
  });
});
