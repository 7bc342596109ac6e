import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { waitingRepliesMax } from '../../src/sessions/commands/large-replies.ts';
import { waitingMessagesMax } from '../../src/sessions/outbox.ts';
import { topicOf } from '../fanout/fixtures.ts';
import { codecs } from '../support/codecs.ts';
import { json } from '../topics/fixtures.ts';
import { makeGateway } from './fixtures.ts';

const large = { payload: json('x'.repeat(500)) };
const subscribe = (id: number, ...topics: string[]) =>
  ({ kind: 'subscribe', id, subscriptions: topics.map((topic) => ({ topic })) }) as const;

/** A client whose connection does not read, and holds this much already. */
async function stalled(buffered: number, backpressureMaxBytes: number) {
  const gateway = await makeGateway({ backpressureMaxBytes });
  const client = gateway.connect();
  Object.assign(client.connection, { stalled: true, buffered });
  client.connection.forget();
  return { ...gateway, ...client };
}

describe('a connection that does not read', () => {
  test('has its replies wait in their order, and gets them when it has drained', async () => {
    const { connection, session, command } = await stalled(11, 10);
    for (let id = 1; id <= 3; id++) command({ kind: 'ping', id });
    expect([connection.messages, session.isWaiting]).toEqual([[], true]);
    connection.stalled = false;
    connection.drain();
    expect([connection.frames().map(({ id }) => id), session.isWaiting]).toEqual([[1, 2, 3], false]);
  });

  test('is terminated when more than 100 messages wait', async () => {
    const { connection, session } = await stalled(11, 10);
    for (let i = 0; i < waitingMessagesMax; i++) session.outbox.push({ kind: 'pong', timeMs: i });
    expect(connection.endedWith).toBeUndefined();
    session.outbox.push({ kind: 'pong', timeMs: 0 });
    expect([connection.endedWith, session.endedBy]).toEqual(['terminated', 'slow_consumer']);
  });

  test('has no page of history made for it before it has room, and then one after the other', async () => {
    const { connection, command, publish, settle } = await stalled(250, 1000);
    await publish('a', { payload: json('x'.repeat(500)) });
    for (let id = 1; id <= 3; id++) command({ kind: 'history', id, topic: 'a' });
    await settle();
    expect(connection.messages).toEqual([]);
    command({ kind: 'ping', id: 4 });
    expect(connection.frames().map(({ id }) => id)).toEqual([4]);
    for (const made of [1, 2, 3]) {
      connection.drain();
      await settle();
      expect(connection.of('history').map(({ id }) => id)).toEqual([1, 2, 3].slice(0, made));
    }
  });

  test('has a page of history made for it long after it was last caught up', async () => {
    const { connect, publish, settle, turns } = await makeGateway();
    await publish('a');
    const { connection, command } = connect();
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    await settle();
    turns.advance(60_000);
    command({ kind: 'history', id: 2, topic: 'a' });
    await settle();
    expect(connection.of('history').map(({ id }) => id)).toEqual([2]);
  });

  test('is refused a page of history when 100 wait', async () => {
    const { connection, command, settle } = await stalled(250, 1000);
    for (let id = 1; id <= waitingRepliesMax + 1; id++) command({ kind: 'history', id, topic: 'a' });
    expect(connection.frames()).toMatchObject([
      { kind: 'error', id: waitingRepliesMax + 1, code: 'rate_limited', retry: true },
    ]);
    connection.stalled = false;
    connection.drain();
    for (let i = 0; i < 30; i++) await settle();
    expect(connection.of('history')).toHaveLength(waitingRepliesMax);
  });

  test('that waits for a page of history is terminated after the write timeout', async () => {
    const { connection, command, sessions, turns } = await stalled(250, 1000);
    command({ kind: 'history', id: 1, topic: 'a' });
    sessions.sweep();
    turns.advance(30_000);
    sessions.sweep();
    expect(connection.endedWith).toBe('terminated');
  });

  test('is terminated after the write timeout without a byte of progress', async () => {
    const { connection, command, sessions, turns } = await stalled(11, 10);
    command({ kind: 'ping', id: 1 });
    sessions.sweep();
    turns.advance(29_999);
    sessions.sweep();
    expect(connection.endedWith).toBeUndefined();
    turns.advance(1);
    sessions.sweep();
    expect(connection.endedWith).toBe('terminated');
  });

  test('is not terminated while its buffer shrinks, however slowly', async () => {
    const { connection, command, sessions, turns } = await stalled(1000, 10);
    command({ kind: 'ping', id: 1 });
    for (let i = 0; i < 100; i++) {
      sessions.sweep();
      turns.advance(20_000);
      connection.buffered--;
    }
    expect(connection.endedWith).toBeUndefined();
  });

  test('is not terminated while something leaves its buffer, though live frames fill it as fast', async () => {
    const { connection, command, sessions, turns } = await stalled(1000, 10);
    command({ kind: 'ping', id: 1 });
    for (let i = 0; i < 10; i++) {
      sessions.sweep();
      turns.advance(20_000);
      connection.session?.drained();
      connection.buffered++;
    }
    expect(connection.endedWith).toBeUndefined();
  });

  test('is not terminated while it reads what it is caught up with, though its buffer fills again each time', async () => {
    const { connect, sessions, turns, publish, fanout, settle } = await makeGateway({
      backpressureMaxBytes: 4000,
      pageBytes: 1000,
    });
    const { connection, session, command } = connect();
    command(subscribe(1, 'a'));
    await settle();
    connection.stalled = true;
    connection.buffered = 5000;
    session.views.lag(new Map(), 0);
    await publish('a', ...Array.from({ length: 100 }, () => large));
    sessions.sweep();
    for (let i = 0; i < 20; i++) {
      turns.advance(10_000);
      connection.drain();
      sessions.sweep();
    }
    expect(session.isWaiting).toBe(true);
    expect(connection.endedWith).toBeUndefined();
    expect(fanout.viewCount).toBe(2);
  });

  test('is not terminated for what it did not read before it was idle', async () => {
    const { connection, session, command, sessions, turns, settle } = await stalled(250, 1000);
    command({ kind: 'history', id: 1, topic: 'a' });
    sessions.sweep();
    connection.drain();
    await settle();
    sessions.sweep();
    expect(session.isWaiting).toBe(false);
    turns.advance(30_000);
    connection.buffered = 500;
    command({ kind: 'history', id: 2, topic: 'a' });
    sessions.sweep();
    expect(connection.endedWith).toBeUndefined();
    turns.advance(30_000);
    sessions.sweep();
    expect(connection.endedWith).toBe('terminated');
  });

  test('the fattest are terminated when all buffers together are too large, and no more than needed', async () => {
    const { connect, sessions } = await makeGateway({ backpressureTotalMaxBytes: 100 });
    const three = [50, 80, 40].map((buffered) => {
      const { connection } = connect();
      connection.buffered = buffered;
      return connection;
    });
    sessions.sweep();
    expect(three.map(({ endedWith }) => endedWith)).toEqual([undefined, 'terminated', undefined]);
    const [first, second, third] = three;
    if (first && second && third) second.buffered = 0;
    expect((first?.buffered ?? 0) + (third?.buffered ?? 0)).toBeLessThanOrEqual(100);
  });
});

describe('lagging', () => {
  async function lagged() {
    const gateway = await makeGateway();
    await gateway.publish('a');
    await gateway.publish('b');
    const client = gateway.connect();
    client.command(subscribe(1, 'a', 'b'));
    client.connection.forget();
    const viewOf = (topic: string) => {
      const view = [...client.session.views.values()].find(({ target }) => target === topic)?.view;
      if (view === undefined) throw new Error('no view');
      return view;
    };
    const feedOf = (topic: string) => {
      const feed = viewOf(topic).feedOf(topicOf(gateway.broker, topic));
      if (feed === undefined) throw new Error('no feed');
      return feed;
    };
    /** Whether it lags, and whether it is live in `a`, which has this many members. */
    const status = () => {
      const { views } = client.session;
      return [views.isLagging, views.isLiveIn(viewOf('a')), viewOf('a').members];
    };
    /** Its connection lost what this topic's view has sent after the first publication, and nothing of others. */
    const lose = (topic: string) =>
      client.session.views.lag(
        new Map([[feedOf(topic), { epoch: topicOf(gateway.broker, topic).epoch, offset: 1 }]]),
        1,
      );
    return { ...gateway, ...client, viewOf, feedOf, status, lose };
  }

  test('a session leaves all live views, and is told which', async () => {
    const { session, connection, viewOf, counts, turns, status } = await lagged();
    connection.buffered = connection.limitBytes;
    session.views.lag(new Map(), 0);
    expect(connection.of('lagging')).toMatchObject([
      { views: expect.arrayContaining([viewOf('a').id, viewOf('b').id]) },
    ]);
    expect(status()).toEqual([true, false, 0]);
    expect(connection.joined.size).toBe(0);
    expect(counts.of('sessionsLaggingTotal')).toBe(1);
    turns.settle();
  });

  test('a session that has drained gets what it lacks, is told that it caught up, and is live', async () => {
    const { connection, viewOf, publish, turns, status, lose } = await lagged();
    await publish('a', {}, {});
    turns.settle();
    connection.forget();
    lose('a');
    connection.drain();
    expect(connection.of('batch')).toMatchObject([{ view: viewOf('a').id, after: 1, upto: 3 }]);
    expect(connection.of('caughtUp')).toContainEqual(
      expect.objectContaining({ view: viewOf('a').id, topic: 'a', offset: 3, recovered: true }),
    );
    expect(status()).toEqual([false, true, 1]);
  });

  test('what was lost is not counted as sent', async () => {
    const { session, connection, publish, turns, lose } = await lagged();
    connection.forget();
    const before = session.messageCount;
    await publish('a');
    turns.settle();
    expect(session.messageCount - before).toBe(1);
    lose('a');
    // This connection did get the frame that is said to be lost.
    expect(session.messageCount - before).toBe(connection.messages.length - 1);
  });

  test('what its other views had not sent yet is not lost, though it was their only member', async () => {
    const { connection, feedOf, publish, turns, lose } = await lagged();
    await publish('a');
    await publish('b');
    turns.settle();
    await publish('b');
    connection.forget();
    lose('a');
    connection.drain();
    turns.advance(100);
    const got = connection
      .of('batch')
      .flatMap(({ view, publications }) => publications.map((p) => [view, p.offset]));
    expect(got).toContainEqual([feedOf('b').view.id, 3]);
  });

  test('a lost announcement of an epoch is made again, with all of that epoch', async () => {
    const { session, connection, feedOf, viewOf, publish, turns, broker } = await lagged();
    const { epoch } = topicOf(broker, 'a');
    broker.reset('a', 'new', 0);
    turns.settle();
    connection.forget();
    session.views.lag(new Map([[feedOf('a'), { epoch, offset: 1 }]]), 1);
    connection.drain();
    expect(connection.of('reset')).toMatchObject([{ view: viewOf('a').id, epoch: 'new', offset: 0 }]);
    await publish('b');
    turns.settle();
  });

  test('when its buffer has drained before it leaves, it is caught up at once: no drain will come', async () => {
    const { connection, viewOf, publish, turns, status, lose } = await lagged();
    await publish('a', {}, {});
    turns.settle();
    connection.forget();
    lose('a');
    expect(connection.of('batch')).toMatchObject([{ view: viewOf('a').id, after: 1, upto: 3 }]);
    expect(status()).toEqual([false, true, 1]);
  });

  test('catching up waits for its share of a turn, and misses nothing of what comes meanwhile', async () => {
    const { connect, publish, turns } = await makeGateway({ turnBudgetMs: 0 });
    await publish('a', {}, {});
    const { session, connection, command } = connect();
    turns.settle();
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a', last: 2 }] });
    expect(connection.of('subscribed').length).toBe(1);
    turns.turn();
    await publish('a', {});
    expect([connection.of('subscribed').length, connection.of('batch').length]).toEqual([2, 0]);
    expect([...session.views.values()].map(({ target, isLive }) => [target, isLive])).toContainEqual([
      'a',
      false,
    ]);
    turns.settle();
    expect(connection.of('batch').flatMap((batch) => batch.publications.map(({ offset }) => offset))).toEqual(
      [1, 2, 3],
    );
  });

  test('what it is caught up with in a later turn leaves in one write', async () => {
    const { connect, publish, turns } = await makeGateway({ turnBudgetMs: 0, pageBytes: 1000 });
    await publish('a', large, large, large, large);
    const { connection, command } = connect();
    turns.settle();
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a', last: 4 }] });
    turns.turn();
    const before = connection.messages.length;
    turns.settle();
    const pages = connection.messages.slice(before);
    expect(pages.length).toBeGreaterThan(1);
    expect(connection.writes.at(-1)).toEqual(pages);
  });

  test('a turn that ends between two views of it leaves the second to the next one, with nothing to drain', async () => {
    const { session, connection, viewOf, turns } = await lagged();
    const { join } = connection;
    connection.join = (view) => {
      join.call(connection, view);
      turns.elapse(6);
    };
    session.views.lag(new Map(), 0);
    expect(session.views.isLagging).toBe(true);
    turns.settle();
    expect(['a', 'b'].map((topic) => session.views.isLiveIn(viewOf(topic)))).toEqual([true, true]);
    expect(session.views.isLagging).toBe(false);
  });

  test('a session that ended before its turn came is left alone', async () => {
    const { connect, sessions, turns } = await makeGateway({ turnBudgetMs: 0 });
    const { session, connection } = connect();
    sessions.close(session);
    connection.forget();
    turns.settle();
    expect([connection.messages, connection.joined.size]).toEqual([[], 0]);
  });

  test('a session that is in no live stream has nothing to leave', async () => {
    const { session, connection } = await lagged();
    connection.buffered = connection.limitBytes;
    session.views.lag(new Map(), 0);
    connection.forget();
    session.views.lag(new Map(), 0);
    expect(connection.messages).toEqual([]);
  });
});

describe('the views of a session', () => {
  // `$all` is one more.
  test.each([1, 7, 8, 9, 30])(
    'are found by their number and end one by one, also where they are %i',
    async (count) => {
      const { connect } = await makeGateway();
      const { session, command } = connect();
      const topics = Array.from({ length: count }, (_, i) => `t${i}`);
      for (const [i, topic] of topics.entries()) command(subscribe(i + 1, topic));
      const all = [...session.views.values()];
      expect([all.length, session.views.size, session.views.liveViews.length]).toEqual(
        Array(3).fill(count + 1),
      );
      expect(all.map(({ view }) => session.views.get(view.id))).toEqual(all);
      const ended = all.filter((_, i) => i % 2 === 1);
      for (const each of ended) session.views.remove(each, 'client');
      for (const each of ended) expect(session.views.isSubscribedTo(each.view.id)).toBe(false);
      const left = all.filter((each) => !ended.includes(each));
      expect([...session.views.values()]).toEqual(left);
      expect(left.every(({ view }) => session.views.isLiveIn(view))).toBe(true);
      expect(session.views.size).toBe(left.length);
    },
  );
});

describe('the end of a session', () => {
  test('releases its views, their members and its topics, and counts it out', async () => {
    const { connect, sessions, fanout, broker, connectionLimits, presence } = await makeGateway({
      connectionsMaxPerIp: 1,
    });
    const { session, connection, command } = connect();
    command(subscribe(1, 'a', 'p:*'));
    const views = [...session.views.values()].map(({ view }) => view);
    expect([fanout.viewCount, presence.count('a')]).toEqual([3, 1]);
    connection.forget();
    expect(sessions.close(session)).toBe('client');
    expect([fanout.viewCount, broker.find('a'), presence.count('a')]).toEqual([0, undefined, 0]);
    expect(views.map(({ members, subscriptions }) => members + subscriptions)).toEqual([0, 0, 0]);
    expect([sessions.count, connectionLimits.problem({ addressKey: '192.0.2.1' })]).toEqual([0, undefined]);
    session.outbox.push({ kind: 'pong', timeMs: 1 });
    session.pump();
    session.views.lag(new Map(), 0);
    expect(connection.messages).toEqual([]);
  });

  test('closing twice counts once', async () => {
    const { connect, sessions } = await makeGateway({ connectionsMaxPerIp: 2 });
    const { session } = connect();
    connect();
    sessions.close(session);
    sessions.close(session);
    connect();
    expect(() => connect()).toThrow(expect.objectContaining({ code: 'too_many_connections_from_ip' }));
  });

  test('messages that it was sent are counted, frames of its views among them', async () => {
    const { connect, publish, turns } = await makeGateway();
    const { connection, session, command } = connect();
    command(subscribe(1, 'a'));
    await publish('a');
    turns.settle();
    expect(session.messageCount).toBe(connection.messages.length);
    command({ kind: 'unsubscribe', id: 2, topics: ['a'] });
    expect(session.messageCount).toBe(connection.messages.length);
  });
});

describe('the promise on delivery', () => {
  /** Follows the client's rule, and fails where an update went missing without a word. */
  class Witness {
    readonly positions = new Map<string, { epoch: string; offset: number }>();
    readonly got: [string, string, number][] = [];
    readonly missing: [string, string, number, number][] = [];
    readonly targets = new Map<number, string>();

    take(frame: ServerFrame): void {
      if (frame.kind === 'subscribed') {
        for (const result of frame.results) {
          if (!('view' in result)) continue;
          this.targets.set(result.view, result.topic);
          if (result.topics === undefined) this.#set(result.view, result.topic, result.epoch, result.offset);
          for (const each of result.topics ?? []) this.#set(result.view, each.topic, each.epoch, each.offset);
        }
      } else if (frame.kind === 'reset') {
        this.#set(frame.view, frame.topic, frame.epoch, frame.offset);
      } else if (frame.kind === 'caughtUp' && frame.missing !== undefined) {
        this.missing.push([
          `${frame.view} ${frame.topic}`,
          frame.epoch,
          frame.missing.after,
          frame.missing.upto,
        ]);
        this.#set(frame.view, frame.topic, frame.epoch, frame.offset);
      } else if (frame.kind === 'batch') {
        const key = `${frame.view} ${frame.topic ?? this.targets.get(frame.view)}`;
        const known = this.positions.get(key) ?? { epoch: '', offset: 0 };
        const epoch = frame.epoch ?? known.epoch;
        const offset = epoch === known.epoch ? known.offset : 0;
        expect(frame.after).toBeLessThanOrEqual(offset);
        for (const publication of frame.publications) {
          if (publication.offset > offset) this.got.push([key, epoch, publication.offset]);
        }
        this.positions.set(key, { epoch, offset: Math.max(offset, frame.upto) });
      }
    }

    #set(view: number, topic: string, epoch: string, offset: number): void {
      this.positions.set(`${view} ${topic}`, { epoch, offset });
    }
  }

  type Step =
    | { readonly do: 'publish'; readonly topic: string; readonly count: number; readonly size: number }
    | { readonly do: 'stall' | 'drain' | 'second' }
    | { readonly do: 'wait'; readonly ms: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('publish' as const),
        topic: fc.constantFrom('a', 'p:1', 'p:2', 'p:3'),
        count: fc.integer({ min: 1, max: 12 }),
        size: fc.nat(300),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'drain' as const, 'second' as const) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 6, 50, 2000) }),
    },
  );

  /** Once found: a topic of a pattern was caught up twice, the second time from its beginning. */
  const caughtUpInTheMiddle: Step[] = [
    { do: 'stall' },
    { do: 'publish', topic: 'p:3', count: 5, size: 261 },
    { do: 'publish', topic: 'p:3', count: 8, size: 0 },
    { do: 'second' },
    { do: 'publish', topic: 'p:3', count: 11, size: 0 },
    { do: 'publish', topic: 'p:3', count: 7, size: 0 },
  ];

  test('whatever stalls and drains, a client gets every update once and in order, or is told what is gone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 40 }), async (steps) => {
        const gateway = await makeGateway({
          backpressureMaxBytes: 1200,
          pageBytes: 300,
          topic: { maxPublications: 25 },
          batch: { maxBytes: 600 },
        });
        const { session, connection, command } = gateway.connect();
        const other = gateway.connect();
        command({
          kind: 'subscribe',
          id: 1,
          subscriptions: [{ topic: 'a' }, { topic: 'p:*' }, { topic: 'p:2', intervalMs: 1000 }],
        });
        for (const each of steps) {
          if (each.do === 'publish') {
            const payload = json('x'.repeat(each.size));
            await gateway.publish(each.topic, ...Array.from({ length: each.count }, () => ({ payload })));
          } else if (each.do === 'stall') connection.stalled = true;
          else if (each.do === 'drain') {
            connection.stalled = false;
            connection.drain();
          } else if (each.do === 'second') {
            const isIn = [...other.session.views.values()].some(({ target }) => target === 'a');
            if (isIn) other.command({ kind: 'unsubscribe', id: 2, topics: ['a', 'p:*'] });
            else other.command(subscribe(2, 'a', 'p:*'));
          } else if (each.do === 'wait') gateway.turns.advance(each.ms);
          await gateway.settle();
        }
        connection.stalled = false;
        gateway.turns.advance(60_000);
        connection.drain();
        gateway.turns.advance(60_000);
        expect(session.isWaiting).toBe(false);
        const witness = new Witness();
        for (const frame of connection.frames()) witness.take(frame);
        for (const { view } of session.views.values()) {
          for (const feed of view.feeds) {
            const { name, epoch, ring } = feed.topic;
            if (epoch === '') continue;
            const key = `${view.id} ${name}`;
            const got = witness.got.flatMap(([of, , offset]) => (of === key ? [offset] : []));
            const gone = witness.missing.flatMap(([of, , after, upto]) =>
              of === key ? Array.from({ length: upto - after }, (_, i) => after + 1 + i) : [],
            );
            expect(got).toEqual([...new Set(got)].sort((x, y) => x - y));
            const all = new Set([...got, ...gone]);
            expect([key, all.size]).toEqual([key, ring.newest]);
            expect(witness.positions.get(key)).toEqual({ epoch, offset: ring.newest });
          }
        }
      }),
      { numRuns: 150, examples: [[caughtUpInTheMiddle]] },
    );
  });

  test('all clients of a view get the same, each in its codec', async () => {
    const { connect, publish, turns } = await makeGateway();
    const clients = [connect(undefined, codecs.protobuf), connect(undefined, codecs.json)];
    for (const { command } of clients) command(subscribe(1, 'a'));
    await publish('a', { payload: json({ n: 1.5 }), key: 'k', tags: { t: '1' } });
    turns.settle();
    const [one, other] = clients.map(({ connection }) =>
      connection.of('batch').map(({ publications }) => publications),
    );
    expect(one).toHaveLength(1);
    expect(other).toEqual(one);
  });
});

test('a large reply that fails by a fault of the gateway is logged, and the next one is sent', async () => {
  const { connect, faults, settle } = await makeGateway();
  const { session } = connect();
  await settle();
  const fault = new Error('broken');
  const sent: string[] = [];
  const broken = () => Promise.reject(fault);
  session.commands.addLarge({ begin: broken, finish: () => undefined });
  session.commands.addLarge({ begin: () => undefined, finish: () => sent.push('next') });
  await settle();
  expect([faults, sent, session.isWaiting]).toEqual([[fault], ['next'], false]);
});
