import type { TemplatedApp } from 'uWebSockets.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { eventLoop } from '../../../src/fanout/turns.ts';
import type { Session } from '../../../src/sessions/session.ts';
import { listen } from '../../../src/transport/uws/listen.ts';
import { loadUws } from '../../../src/transport/uws/load.ts';
import { Polls } from '../../../src/transport/uws/polls.ts';
import { EventStreams } from '../../../src/transport/uws/sse.ts';
import { StreamReads } from '../../../src/transport/uws/stream-reads.ts';
import { makeGateway } from '../../sessions/fixtures.ts';
import { ofTest } from '../../support/opened.ts';
import { publicationsOf, SseClient } from '../../support/sse-client.ts';
import { fields, json } from '../../topics/fixtures.ts';
import { streamParts } from './stream-parts.ts';

// Streams and polls on a clock and an event loop that the test turns.

const heartbeatMs = 15_000;
const writeTimeoutMs = 30_000;

async function start(turnBudgetMs = 5) {
  const backpressureMaxBytes = 64 * 1024;
  const gateway = await makeGateway({ backpressureMaxBytes, turnBudgetMs });
  const uws = loadUws();
  const app: TemplatedApp = uws.App();
  const clock = { nowMs: 1_000_000 };
  const work = { nowMs: 0, spentMs: 0, debtMs: 0 };
  const common = {
    ...streamParts(gateway, backpressureMaxBytes),
    turnBudget: gateway.turnBudget,
    monotonicMs: () => clock.nowMs,
    reads: new StreamReads({
      limits: {
        workWaitMs: () => work.debtMs,
        spent: (_, ms) => {
          work.spentMs += ms;
        },
      },
      workMs: () => work.nowMs,
      turns: eventLoop,
      metrics: gateway.counts.metrics,
    }),
  };
  const streams = new EventStreams({ ...common, heartbeatMs, writeTimeoutMs, reconnectSpreadMs: 1000 });
  const replaced: string[] = [];
  const polls = new Polls({
    ...common,
    writeTimeoutMs,
    responseMaxBytes: 4 * backpressureMaxBytes,
    replaced: (session, { addressKey }) => replaced.push(`${session} of ${addressKey}`),
  });
  streams.serve(app);
  polls.serve(app);
  const { port } = await listen(uws, app, '127.0.0.1', 0);
  ofTest(app);
  /** Turns both event loops until it is done. */
  const turning = async <T>(promise: Promise<T>): Promise<T> => {
    let isDone = false;
    const done = promise.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await gateway.settle();
      await nextTurn();
    }
    return done;
  };
  const stream = async () => {
    const client = await turning(SseClient.open({ port, path: '/sse?topic=t' }));
    ofTest(client);
    await turning(client.until(() => client.of('subscribed').length === 2));
    return client;
  };
  const asked = (query: string, headers = {}) =>
    fetch(`http://127.0.0.1:${port}/poll?topic=t&${query}`, { headers });
  const poll = (query: string, headers = {}) => turning(asked(query, headers));
  const publish = async (data: unknown) => {
    await gateway.publish('t', { payload: json(data) });
    await gateway.settle();
    gateway.turns.advance(20);
    await nextTurn();
  };
  const ask = (path: string) => turning(fetch(`http://127.0.0.1:${port}${path}`));
  const { unread } = common;
  return {
    ...gateway,
    port,
    clock,
    work,
    unread,
    streams,
    polls,
    replaced,
    turning,
    stream,
    asked,
    ask,
    poll,
    publish,
  };
}

describe('a stream', () => {
  test('gets a comment once it has been silent for the time of the heartbeat, and not before', async () => {
    const { clock, streams, stream, turning, publish } = await start();
    const client = await stream();
    const heartbeatsAfter = async (silentMs: number) => {
      clock.nowMs += silentMs;
      streams.sweep();
      // What is published arrives after the comment, if there is one.
      await publish(clock.nowMs);
      await turning(client.until(() => client.publications.at(-1)?.data === clock.nowMs));
      return client.parser.heartbeats;
    };
    expect(await heartbeatsAfter(heartbeatMs - 1)).toBe(0);
    expect(await heartbeatsAfter(heartbeatMs)).toBe(1);
    expect(await heartbeatsAfter(heartbeatMs - 1)).toBe(1);
    expect(await heartbeatsAfter(heartbeatMs + 1)).toBe(2);
  });

  test('that takes nothing for the write timeout is cut, and not before', async () => {
    const { clock, streams, stream, publish, sessions } = await start();
    const client = await stream();
    client.pause();
    const [session] = sessions.all();
    while (session!.unsentBytes === 0) {
      await publish('x'.repeat(50_000));
    }
    clock.nowMs += writeTimeoutMs - 1;
    streams.sweep();
    expect(session!.isClosed).toBe(false);
    clock.nowMs += 1;
    streams.sweep();
    expect([session!.isClosed, session!.endedBy]).toEqual([true, 'slow_consumer']);
  });

  test('that reads again gets what the library held back, though nothing new is published', async () => {
    const { stream, publish, sessions, turning } = await start();
    const client = await stream();
    client.pause();
    const [session] = sessions.all();
    let count = 0;
    for (; session!.unsentBytes === 0; count++) {
      await publish('x'.repeat(50_000));
    }
    client.resume();
    await turning(client.until(() => client.publications.length === count));
    await turning(client.until(() => session!.unsentBytes === 0));
    expect(session!.views.state).toBe('live');
  });
});

describe('thousands of sessions that are sent away take turns, and', () => {
  const eventsOf = async (answer: Response) =>
    ((await answer.json()) as { events: Record<string, unknown>[] }).events;
  const dataOf = (events: Record<string, unknown>[]) =>
    events.flatMap(publicationsOf).map(({ data }) => data);

  type Started = Awaited<ReturnType<typeof start>>;

  /** The last one is this session, and meanwhile 1 is published. */
  async function sendAway(
    { sessions, broker, turns }: Started,
    last?: Session,
    next = async () => turns.turn(),
  ) {
    sessions.sendAway([...sessions.all()].reverse(), 'going_away');
    expect([...sessions.all()]).toEqual([last]);
    await broker.publish([fields('t', { payload: json(1) })]);
    // Another numbering begins, of which this position says nothing.
    const epoch = vi.spyOn(broker.commits, 'epoch', 'get').mockReturnValue('later');
    await next();
    epoch.mockRestore();
    turns.settle();
    expect(sessions.count).toBe(0);
  }

  /** A poll that waits, and another session. */
  async function waitingPoll() {
    const started = await start(0);
    const { asked, poll, sessions, turns } = started;
    const first = await poll('');
    const waiting = asked(`cursor=${first.headers.get('sluice-cursor')}&timeoutSeconds=60`);
    const [session] = sessions.all();
    while (session!.views.isParked || session!.views.isCatchingUp) {
      turns.settle();
      await nextTurn();
    }
    await poll('');
    return { started, session, waiting };
  }

  const epochOf = (answer: Response) => answer.headers.get('sluice-cursor')?.split('.')[0];

  test('a poll gets nothing of what is published meanwhile, and a cursor that leads there', async () => {
    const { started, session, waiting } = await waitingPoll();
    const { poll, publish, broker } = started;
    await sendAway(started, session);
    const answer = await waiting;
    expect((await eventsOf(answer)).map(({ type }) => type)).toEqual(['goingAway']);
    await publish(2);
    expect(epochOf(answer)).toBe(broker.commits.epoch);
    const next = await poll(`cursor=${answer.headers.get('sluice-cursor')}`);
    expect(dataOf(await eventsOf(next))).toEqual([1, 2]);
  });

  test('a poll whose response is full gets it with the cursor of that moment', async () => {
    const { started, session, waiting } = await waitingPoll();
    const { broker, turns } = started;
    const large = fields('t', { payload: json('x'.repeat(40_000)) });
    await broker.publish([large, large]);
    turns.settle();
    let answer: Response | undefined;
    await sendAway(started, session, async () => {
      answer = await waiting;
    });
    expect(epochOf(answer!)).toBe(broker.commits.epoch);
    expect(dataOf(await eventsOf(answer!))).toHaveLength(2);
  });

  test('a stream gets nothing of what is published meanwhile, and an id that leads there', async () => {
    const started = await start(0);
    const { stream, poll, publish, sessions, turning, broker } = started;
    const client = await stream();
    const [session] = sessions.all();
    await turning(poll(''));
    await sendAway(started, session);
    await turning(client.until(() => client.ended));
    expect([client.of('goingAway').length, client.publications]).toEqual([1, []]);
    await publish(2);
    expect(client.parser.lastEventId.split('.')[0]).toBe(broker.commits.epoch);
    const next = await poll(`cursor=${client.parser.lastEventId}`);
    expect(dataOf(await eventsOf(next))).toEqual([1, 2]);
  });

  test.each(['stream', 'poll'])('a first %s that is being subscribed is told nothing', async (kind) => {
    const { broker, sessions, turns, turning, asked, poll, port, settle } = await start(0);
    await poll('');
    let load: (topic: undefined) => void = () => undefined;
    const loading = new Promise<undefined>((resolve) => {
      load = resolve;
    });
    vi.spyOn(broker, 'isLoaded').mockImplementation((topic) => topic !== 't');
    const loads = vi.spyOn(broker, 'load').mockReturnValue(loading);
    const path = '/sse?topic=t';
    const told = kind === 'stream' ? SseClient.open({ port, path }).then(ofTest) : asked('');
    const outcome = told.then(
      () => 'told',
      () => 'nothing',
    );
    while (loads.mock.calls.length === 0) {
      await settle();
      await nextTurn();
    }
    sessions.sendAway([...sessions.all()], 'going_away');
    expect(sessions.count).toBe(1);
    load(undefined);
    await nextTurn();
    while (sessions.count > 0) turns.turn();
    expect(await turning(outcome)).toBe('nothing');
  });

  test('silent streams get their comments, and polls that are gone end', async () => {
    const { clock, stream, poll, streams, polls, sessions, turns, turning } = await start(0);
    const clients = [await stream(), await stream()];
    for (let i = 0; i < 2; i++) await poll('');
    clock.nowMs += 30_000;
    polls.sweep();
    expect(sessions.count).toBe(3);
    turns.turn();
    expect(sessions.count).toBe(2);
    streams.sweep();
    await turning(clients[0]!.until(() => clients[0]!.parser.heartbeats > 0));
    await turning(clients[1]!.until(() => clients[1]!.parser.heartbeats > 0));
  });
});

describe('subscriptions to patterns', () => {
  test.each(['/sse', '/poll'])(
    'by %s are charged to the client, and refused if it has no time left',
    async (path) => {
      const { work, broker, ask } = await start();
      const topicsOf = broker.topicsOf.bind(broker);
      broker.topicsOf = (pattern) => {
        work.nowMs += 4;
        return topicsOf(pattern);
      };
      expect((await ask(`${path}?topic=p:*`)).status).toBe(200);
      expect(work.spentMs).toBeGreaterThanOrEqual(4);
      work.debtMs = 70;
      expect(await (await ask(`${path}?topic=p:*`)).text()).toContain('rate_limited');
      expect((await ask(`${path}?topic=t`)).status).toBe(200);
    },
  );
});

describe('the session of polls', () => {
  test('is gone 30 s after its last poll, and not before', async () => {
    const { clock, polls, poll, sessions, counts } = await start();
    const first = await poll('');
    clock.nowMs += 29_999;
    polls.sweep();
    expect(sessions.count).toBe(1);
    const cursor = first.headers.get('sluice-cursor');
    expect((await poll(`cursor=${cursor}&timeoutSeconds=0`)).status).toBe(204);
    clock.nowMs += 29_999;
    polls.sweep();
    expect(sessions.count).toBe(1);
    clock.nowMs += 1;
    polls.sweep();
    expect(sessions.count).toBe(0);
    expect(counts.of('connectionsClosedTotal')).toBe(1);
  });

  test('is another one after that, and its client has lost nothing', async () => {
    const { clock, polls, poll, publish, sessions } = await start();
    const first = await poll('');
    clock.nowMs += 30_000;
    polls.sweep();
    await publish(1);
    const again = await poll(`cursor=${first.headers.get('sluice-cursor')}`);
    const { events } = (await again.json()) as { events: { type: string; data?: unknown }[] };
    expect(events.map(({ type }) => type)).toContain('connected');
    expect(events.filter(({ data }) => data === 1).length).toBe(1);
    expect(sessions.count).toBe(1);
  });

  test('takes the place of one elsewhere, though another client says that it was its own', async () => {
    const { poll, replaced, sessions } = await start();
    await poll('former=elsewhere&timeoutSeconds=0', { 'x-address': '192.0.2.66' });
    const first = await poll('former=elsewhere&timeoutSeconds=0');
    expect(replaced).toEqual(['elsewhere of 192.0.2.66', 'elsewhere of 192.0.2.1']);
    const { id } = [...sessions.all()].find(({ peer }) => peer.address === '192.0.2.1')!;
    await poll(`former=${id}&timeoutSeconds=0`, { 'x-address': '192.0.2.66' });
    await poll(`cursor=${first.headers.get('sluice-cursor')}&timeoutSeconds=0`);
    expect([replaced.length, sessions.get(id)?.isClosed]).toEqual([2, false]);
  });

  test('ends when its client names the same former session on another node, as after a lost response', async () => {
    const { poll, polls, sessions } = await start();
    await poll('former=elsewhere&timeoutSeconds=0');
    expect(polls.replaced('another', { addressKey: '192.0.2.1' })).toBe(false);
    expect(polls.replaced('elsewhere', { addressKey: '192.0.2.66' })).toBe(false);
    expect(polls.replaced('elsewhere', { addressKey: '192.0.2.1', user: 'alice' })).toBe(false);
    expect(sessions.count).toBe(1);
    expect(polls.replaced('elsewhere', { addressKey: '192.0.2.1' })).toBe(true);
    expect(polls.replaced('elsewhere', { addressKey: '192.0.2.1' })).toBe(false);
    expect(sessions.count).toBe(0);
  });

  test('has had what came before its poll, unless another poll waits, whose response may lack it', async () => {
    const { asked, poll, sessions, turning } = await start();
    const received = vi.spyOn(sessions, 'received');
    const cursor = (await poll('')).headers.get('sluice-cursor');
    const waiting = asked(`cursor=${cursor}&timeoutSeconds=60`);
    const [session] = sessions.all();
    while (session!.views.isParked) await nextTurn();
    expect(received.mock.calls).toEqual([[session]]);
    expect((await poll(`cursor=${cursor}&timeoutSeconds=0`)).status).toBe(204);
    expect((await turning(waiting)).status).toBe(204);
    expect(received).toHaveBeenCalledTimes(1);
    await poll(`cursor=${cursor}&timeoutSeconds=0`);
    expect(received).toHaveBeenCalledTimes(2);
  });

  test('is charged to its address for responses that wait to be read, not for a share of its own', async () => {
    const { poll, publish, unread } = await start();
    const charged = vi.spyOn(unread, 'take');
    await publish('x'.repeat(20_000));
    for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.2'])
      expect((await poll('last=1', { 'x-address': address })).status).toBe(200);
    const accounts = charged.mock.calls.map(([account]) => account);
    expect(new Set(accounts)).toEqual(new Set(['address 192.0.2.1', 'address 192.0.2.2']));
  });

  test('sends a part of the values of a topic where more must not be left unread', async () => {
    const { ask, unread, broker } = await start();
    const values = Array.from({ length: 60 }, (_, i) =>
      fields('state:a', { key: `${i}`, payload: json('x'.repeat(5000)) }),
    );
    await broker.publish(values);
    unread.charge('others', 900_000);
    const answer = await ask('/poll?topic=state:a');
    expect(answer.status).toBe(200);
    expect((await answer.text()).length).toBeLessThan(100_000);
    expect(unread.total).toBe(900_000);
  });

  test('stays while a poll waits, however long', async () => {
    const { clock, polls, poll, publish, sessions } = await start();
    const first = await poll('');
    const waiting = poll(`cursor=${first.headers.get('sluice-cursor')}&timeoutSeconds=60`);
    for (let i = 0; i < 20; i++) await nextTurn();
    clock.nowMs += 59_000;
    polls.sweep();
    expect(sessions.count).toBe(1);
    await publish(1);
    expect((await waiting).status).toBe(200);
  });

  test.each([0, 60])(
    'waits for its turn to be caught up without looking for it, for %d s',
    async (timeoutSeconds) => {
      const { asked, poll, publish, sessions, turning } = await start(0);
      const first = await poll('');
      await publish(1);
      const [session] = sessions.all();
      const waiting = asked(`cursor=${first.headers.get('sluice-cursor')}&timeoutSeconds=${timeoutSeconds}`);
      while (session!.views.isParked) await nextTurn();
      const looks = vi.spyOn(globalThis, 'setImmediate');
      for (let i = 0; i < 50; i++) await nextTurn();
      expect([session!.isWaiting, looks.mock.calls.length]).toEqual([true, 0]);
      looks.mockRestore();
      const { events } = (await (await turning(waiting)).json()) as { events: { data?: unknown }[] };
      expect(events.flatMap(({ data }) => data ?? [])).toEqual([1]);
    },
  );
});
