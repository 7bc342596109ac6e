import { describe, expect, test } from 'vitest';
import type { TokenResult } from '../../../src/auth/tokens.ts';
import { MemoryEngine } from '../../../src/engines/memory.ts';
import { SluiceError } from '../../../src/errors.ts';
import type { PublishFields } from '../../../src/protocol/frames.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import { smallMessageBytes } from '../../../src/sessions/commands/intake.ts';
import { SessionCommands } from '../../../src/sessions/commands/session-commands.ts';
import { TurnBudget } from '../../../src/sessions/limits/turn-budget.ts';
import type { BrokerOptions } from '../../../src/topics/broker.ts';
import { FakeTurns, topicOf } from '../../fanout/fixtures.ts';
import { codecs } from '../../support/codecs.ts';
import { json, WaitingEngine } from '../../topics/fixtures.ts';
import { client, granted, publishing, verified } from '../client.ts';
import { user } from '../fixtures.ts';

type Client = Pick<Awaited<ReturnType<typeof client>>, 'tokens' | 'command'>;

/** Sends a first command, whose token is known only once what this returns is called. */
function slowly({ tokens, command }: Client): (more?: Parameters<typeof user>[1]) => void {
  let verify: (result: TokenResult) => void = () => undefined;
  tokens.set('slow', new Promise((resolve) => (verify = resolve)));
  command({ kind: 'connect', id: 1, token: 'slow' });
  return (more) => verify(verified(user('alice', more)));
}

describe('the order of commands', () => {
  test('what changes the session waits for what came before; a ping does not', async () => {
    const { tokens, command, connection, settle } = await client();
    const verify = slowly({ tokens, command });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'closed:1' }] });
    command({ kind: 'status', id: 3 });
    command({ kind: 'ping', id: 4 });
    await settle();
    expect(connection.frames().map(({ id }) => id)).toEqual([4]);
    verify(granted);
    await settle();
    expect(connection.frames().flatMap(({ id }) => (id === 0 ? [] : [id]))).toEqual([4, 1, 2, 3]);
    expect(connection.replies(2)).toMatchObject([
      { results: [{ topic: 'closed:1', view: expect.any(Number) }] },
    ]);
  });

  test('a publish after a subscribe that waits reaches it', async () => {
    const { command, connection, settle } = await client(codecs.protobuf, { turnBudgetMs: 0 });
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    command(publishing(2, 'a', json('mine')));
    await settle();
    expect(connection.frames().flatMap(({ id }) => (id === 0 ? [] : [id]))).toEqual([1, 2]);
    expect(connection.replies(1)).toMatchObject([{ results: [{ topic: 'a', offset: 0 }] }]);
    expect(connection.of('batch')).toMatchObject([
      { after: 0, upto: 1, publications: [{ payload: json('mine') }] },
    ]);
  });

  test('commands that only read wait for those before them too', async () => {
    const { tokens, command, connection, settle, publish } = await client();
    await publish('closed:1');
    const verify = slowly({ tokens, command });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'a' }] });
    command({ kind: 'presence', id: 3, topic: 'a' });
    command({ kind: 'history', id: 4, topic: 'closed:1' });
    await settle();
    expect(connection.messages).toEqual([]);
    verify({ ...granted, scopes: ['read'] });
    await settle();
    expect(connection.replies(3)).toMatchObject([{ kind: 'presence', count: 1 }]);
    expect(connection.replies(4)).toMatchObject([{ kind: 'history', publications: [{ offset: 1 }] }]);
  });

  test('what changes the session does not wait until a publish before it is committed', async () => {
    const engine = new WaitingEngine({ isState: () => false });
    const { tokens, command, connection, settle } = await client(codecs.json, { broker: { engine } });
    const verify = slowly({ tokens, command });
    command(publishing(2, 'a', json(1)));
    command({ kind: 'subscribe', id: 3, subscriptions: [{ topic: 'b' }] });
    verify();
    const answered = () => connection.frames().flatMap(({ id }) => (id === 0 ? [] : [id]));
    await settle();
    expect(answered()).toEqual([1, 3]);
    await engine.commit();
    expect(answered()).toEqual([1, 3, 2]);
  });

  test('a publish that waits keeps its payload though the message’s bytes die', async () => {
    const { session, sessions, command, settle, broker } = await client(codecs.protobuf, { turnBudgetMs: 0 });
    const publish = {
      kind: 'publish',
      id: 2,
      ...publishOf({ topic: 'a', type: 'update', payload: json('keep me') }),
    } as const;
    const message = codecs.protobuf.encodeClientFrame(publish).slice();
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    sessions.receive(session, message, true);
    message.fill(0);
    await settle();
    expect(topicOf(broker, 'a').ring.slice(0)[0]?.payload).toEqual(json('keep me'));
  });

  test('a publish that waits is done though its session ends: it came before', async () => {
    const { session, sessions, command, settle, broker } = await client(codecs.protobuf, { turnBudgetMs: 0 });
    command({ kind: 'subscribe', id: 1, subscriptions: [{ topic: 'a' }] });
    command(publishing(2, 'a', json(1)));
    sessions.close(session);
    await settle();
    expect(topicOf(broker, 'a').ring.newest).toBe(1);
  });

  test('a command that waited and those after it reply in one write', async () => {
    const { tokens, command, connection, settle } = await client();
    tokens.set('good', Promise.resolve(verified(user('alice', granted))));
    command({ kind: 'connect', id: 1, token: 'good' });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'closed:1' }] });
    await settle();
    expect(connection.writes).toEqual([connection.messages]);
    expect(connection.frames().map(({ kind, id }) => [kind, id])).toEqual([
      ['subscribed', 0],
      ['connected', 1],
      ['subscribed', 2],
    ]);
  });

  test('a command that has nothing to wait for is answered at once, also when the one before it waited', async () => {
    const { tokens, command, connection, settle } = await client();
    tokens.set('good', Promise.resolve(verified(user('alice', granted))));
    command({ kind: 'connect', id: 1, token: 'good' });
    await settle();
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'closed:1' }] });
    expect(connection.replies(2)).toHaveLength(1);
  });

  test('a command that failed does not hold up the next ones', async () => {
    const { command, codeOf } = await client();
    command({ kind: 'connect', id: 1, token: 'bad' });
    command({ kind: 'status', id: 2 });
    expect([await codeOf(1), await codeOf(2)]).toEqual(['unauthorized', 'status']);
  });

  test('what is still waiting when the session ends is not begun: no view, no place is kept', async () => {
    const { tokens, command, settle, sessions, session, fanout, connectionLimits, connection } = await client(
      codecs.protobuf,
      { connectionsMaxPerUser: 1 },
    );
    const verify = slowly({ tokens, command });
    command({ kind: 'subscribe', id: 2, subscriptions: [{ topic: 'a' }] });
    await settle();
    sessions.close(session);
    verify();
    await settle();
    expect([
      fanout.viewCount,
      connectionLimits.problem({ addressKey: 'other', user: 'alice' }),
      connection.messages,
    ]).toEqual([0, undefined, []]);
  });
});

describe.each(Object.values(codecs))('pipelined publishes in $name', (codec) => {
  async function publisher() {
    const gateway = await client(codec, { commandsPerSecond: 3 });
    let id = 0;
    const publish = (topic: string, pipelined?: true) => {
      id++;
      const fields = publishOf({ topic, type: 'update', payload: json(id), pipelined });
      gateway.command({ kind: 'publish', id, ...fields });
      return gateway.codeOf(id);
    };
    return { ...gateway, publish };
  }

  test('are refused after one that was over the rate, until one comes that is not pipelined', async () => {
    const { publish, turns, broker } = await publisher();
    const codes = [await publish('a')];
    for (let n = 0; n < 3; n++) codes.push(await publish('a', true));
    turns.advance(1000);
    for (const pipelined of [true, undefined, true] as const) codes.push(await publish('a', pipelined));
    expect(codes).toEqual([
      ...['published', 'published', 'published', 'rate_limited'],
      ...['rate_limited', 'published', 'published'],
    ]);
    expect(
      topicOf(broker, 'a')
        .ring.slice(0)
        .map(({ payload }) => payload),
    ).toEqual([1, 2, 3, 6, 7].map(json));
  });

  test.each(['a command', 'its turn'])(
    'are refused where the first of them waits for %s until then',
    async (what) => {
      const { turns, turnBudget, broker, ...gateway } = await client(codec, { commandsPerSecond: 2 });
      const publish = (id: number, pipelined?: true) => {
        const payload = json('x'.repeat(smallMessageBytes));
        const fields = publishOf({ topic: 'a', type: 'update', payload, pipelined });
        gateway.command({ kind: 'publish', id, ...fields });
      };
      const verify = slowly(gateway);
      if (what === 'its turn') {
        verify();
        await gateway.settle();
        turnBudget.charge(1000);
      }
      publish(2);
      publish(3, true);
      turns.elapse(500);
      publish(4, true);
      if (what === 'a command') verify();
      const codes = [await gateway.codeOf(2), await gateway.codeOf(3), await gateway.codeOf(4)];
      expect(codes).toEqual(['published', 'rate_limited', 'rate_limited']);
      expect(topicOf(broker, 'a').ring.newest).toBe(1);
    },
  );

  test('wait for the outcome of those before them, which the engine has, and are refused if that is an error', async () => {
    const engine = new WaitingEngine({ isState: () => false });
    const { codeOf, settle, broker, command } = await client(codec, { broker: { engine } });
    let id = 1;
    const publish = (pipelined?: true) => {
      id++;
      command({
        kind: 'publish',
        id,
        ...publishOf({ topic: 'a', type: 'update', payload: json(id), pipelined }),
      });
      return id;
    };
    const outcome = async (isFailing = false) => {
      await engine.commit(isFailing);
      await settle();
    };
    const ids = [publish(), publish(true), publish(true)];
    await outcome();
    // Those that waited are given to it together, and what comes now waits for them.
    ids.push(publish(true));
    expect(engine.calls).toBe(1);
    await outcome(true);
    while (engine.calls > 0) await outcome(true);
    ids.push(publish(true), publish());
    await outcome();
    const codes = [];
    for (const each of ids) codes.push(await codeOf(each));
    const lost = 'engine_unavailable';
    expect(codes).toEqual(['published', lost, lost, 'rate_limited', 'rate_limited', 'published']);
    const stored = topicOf(broker, 'a').ring.slice(0);
    expect(stored.map(({ payload }) => payload)).toEqual([2, 7].map(json));
  });

  const engines = [
    { how: 'at once', Engine: MemoryEngine },
    { how: 'later', Engine: WaitingEngine },
  ];

  /** What becomes of publishes that a client sends in one turn. */
  async function codesOf(
    broker: Partial<BrokerOptions> & { readonly engine: MemoryEngine },
    publishes: readonly (readonly [topic: string, code: string, pipelined?: true])[],
  ) {
    const { codeOf, settle, command } = await client(codec, { broker });
    const { engine } = broker;
    for (const [i, [topic, , pipelined]] of publishes.entries()) {
      const payload = json('x'.repeat(200));
      command({ kind: 'publish', id: i + 1, ...publishOf({ topic, type: 'update', payload, pipelined }) });
    }
    while (engine instanceof WaitingEngine && engine.calls > 0) await engine.commit();
    await settle();
    const codes = [];
    for (const i of publishes.keys()) codes.push(await codeOf(i + 1));
    return codes;
  }

  test.each(engines)(
    'are refused after one whose topic found no place, committed $how',
    async ({ Engine }) => {
      const expected = [
        ['a', 'published'],
        ['b', 'published', true],
        ['c', 'too_many_topics', true],
        ['a', 'rate_limited', true],
        ['c', 'rate_limited', true],
        ['b', 'published'],
        ['a', 'published', true],
      ] as const;
      const broker = { engine: new Engine({ isState: () => false }), topicsMaxPerClient: 2 };
      expect(await codesOf(broker, expected)).toEqual(expected.map(([, code]) => code));
    },
  );

  test.each(engines)(
    'are refused after one that is refused for now; those after others, and all others, are not, committed $how',
    async ({ Engine }) => {
      const engine = new Engine({ isState: () => false });
      const chargeSending = ({ topic }: PublishFields) =>
        topic === 'dear' ? new SluiceError('rate_limited') : undefined;
      const broker = { engine, chargeSending, historyMaxBytes: 100 };
      const expected = [
        ['a', 'published'],
        ['dear', 'rate_limited'],
        ['a', 'rate_limited', true],
        ['b', 'published'],
        ['b', 'published', true],
        ['b c', 'invalid_topic', true],
        ['state:1', 'too_many_keys', true],
        ['b', 'published', true],
        ['dear', 'rate_limited', true],
        ['b', 'rate_limited', true],
        ['a', 'published'],
      ] as const;
      expect(await codesOf(broker, expected)).toEqual(expected.map(([, code]) => code));
    },
  );
});

test('publishes that wait for the same commit are committed in their order, though topics of some are loaded first', async () => {
  const engine = Object.assign(new WaitingEngine({ isState: () => false }), { retains: true });
  const { broker, settle, command } = await client(codecs.json, { broker: { engine } });
  for (const [i, topic] of ['a', 'a', 'new', 'a', 'newer', 'a'].entries())
    command(publishing(i + 1, topic, json(i + 1)));
  for (await settle(); engine.calls > 0; await settle()) await engine.commit();
  const stored = ['a', 'new', 'newer'].flatMap((topic) => [...topicOf(broker, topic).ring.slice(0)]);
  const inOrder = stored.sort((one, other) => one.seq - other.seq).map(({ payload }) => payload);
  expect(inOrder).toEqual([1, 2, 3, 4, 5, 6].map(json));
});

test('calls that wait for the application run one after the other, and are done after the last', async () => {
  const { connection, session, settle } = await client();
  let done = 0;
  const commands = new SessionCommands(connection, session.outbox, new TurnBudget(new FakeTurns(), 5), {
    failed: () => undefined,
    commandsDone: () => done++,
  });
  const begun: (() => void)[] = [];
  const call = () => commands.inOrder(() => new Promise<void>((resolve) => begun.push(resolve)));
  const [first, second] = [call(), call()];
  await settle();
  expect([begun.length, done]).toEqual([1, 0]);
  begun[0]?.();
  await first;
  await settle();
  expect([begun.length, done]).toEqual([2, 0]);
  begun[1]?.();
  await second;
  await settle();
  expect(done).toBe(1);
});
