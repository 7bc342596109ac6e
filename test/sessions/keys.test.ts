import { describe, expect, test } from 'vitest';
import type { Identity } from '../../src/auth/identity.ts';
import type { Granted, Subscription } from '../../src/protocol/frames.ts';
import { codecs } from '../support/codecs.ts';
import { type GatewayOptions, makeGateway, user } from './fixtures.ts';

/** A gateway with a state topic of a few keys, and a client that shows some of them. */
async function grid(keys: readonly string[], options: GatewayOptions = {}, codec = codecs.protobuf) {
  const gateway = await makeGateway(options);
  const { settle } = gateway;
  let id = 100;
  const connect = (own = codec, identity?: Identity) => {
    const client = gateway.connect(identity, own);
    const { connection, command } = client;
    return {
      ...client,
      async subscribe(subscription: Partial<Subscription>) {
        command({ kind: 'subscribe', id: ++id, subscriptions: [{ topic: 'state', ...subscription }] });
        await settle();
        return connection.replies(id)[0];
      },
      async setKeys(view: number, wanted: readonly string[]) {
        connection.forget();
        command({ kind: 'setKeys', id: ++id, view, keys: wanted });
        await settle();
        return connection.replies(id)[0];
      },
      /** What it was sent of keys, in order: the frame's view, and each key with its offset. */
      told() {
        const told: unknown[] = [];
        for (const frame of connection.frames()) {
          if (frame.kind !== 'batch' && frame.kind !== 'snapshot') continue;
          const values = frame.publications.map(({ key, offset, removed }) =>
            removed ? `-${key}` : `${key}${offset}`,
          );
          const kind = frame.kind === 'batch' ? 'batch' : frame.partial ? 'partial' : 'snapshot';
          if (kind !== 'batch' || values.length > 0) told.push([kind, ...values]);
        }
        connection.forget();
        return told;
      },
    };
  };
  const change = async (...changed: readonly string[]) => {
    for (const key of changed) await gateway.publish('state', { key });
    gateway.turns.advance(100);
    await settle();
  };
  await change('a', 'b', 'c', 'd');
  const client = connect();
  const reply = await client.subscribe({ keys });
  return { ...gateway, connect, client, change, view: viewIn(reply), reply };
}

function resultIn(reply: unknown): Granted {
  return (reply as { results: readonly [Granted] }).results[0];
}

function viewIn(reply: unknown): number {
  return resultIn(reply).view;
}

describe('a subscription with keys', () => {
  test('gets the values of these, and their changes', async () => {
    const { client, change } = await grid(['d', 'b', 'x', 'b']);
    expect(client.told()).toEqual([['snapshot', 'b2', 'd4']]);
    await change('a', 'b', 'x', 'c');
    expect(
      client
        .told()
        .flat()
        .filter((each) => each !== 'batch'),
    ).toEqual(['b6', 'x7']);
  });

  test('shares its bytes with those of the same keys, and takes a place as one with a filter does', async () => {
    const { connect, view } = await grid(['a', 'b'], { fanout: { viewsPerTopic: 2, viewsMax: 100 } });
    expect(viewIn(await connect().subscribe({ keys: ['b', 'a'] }))).toBe(view);
    expect(await connect().subscribe({ keys: ['c'] })).toMatchObject({
      results: [{ error: { code: 'too_many_views' } }],
    });
  });

  test('continues after its position', async () => {
    const { connect, change, reply } = await grid(['a', 'b']);
    const { epoch } = resultIn(reply);
    await change('a', 'c');
    const next = connect();
    await next.subscribe({ keys: ['a', 'b'], since: { epoch, offset: 4 } });
    expect(next.told()).toEqual([['batch', 'a5']]);
  });

  test.each([
    ['a pattern', { topic: 'state:*', keys: ['a'] }, 'invalid_request'],
    ['a stream', { topic: 'stream', keys: ['a'] }, 'invalid_request'],
    [
      'more keys than a list may have',
      { keys: Array.from({ length: 1001 }, (_, i) => `k${i}`) },
      'invalid_request',
    ],
  ])('of %s is refused', async (_, subscription, code) => {
    const { connect } = await grid(['a'], { frameMaxBytes: 1_000_000 });
    const reply = await connect().subscribe(subscription);
    const error = reply?.kind === 'subscribed' ? (reply.results[0] as { error?: unknown }).error : reply;
    expect(error).toMatchObject({ code });
  });

  test('may have a thousand', async () => {
    const many = Array.from({ length: 1000 }, (_, i) => `k${i}`);
    const { connect, client, view } = await grid(['a'], { frameMaxBytes: 1_000_000 });
    expect(await connect().subscribe({ keys: many })).toMatchObject({ results: [{ mode: 'state' }] });
    expect(await client.setKeys(view, [...many, 'one too many'])).toMatchObject({ code: 'invalid_request' });
    expect(await client.setKeys(view, ['c', ...many.slice(1)])).toMatchObject({
      results: [{ recovered: true }],
    });
  });
});

describe.each([codecs.protobuf, codecs.json])('other keys, by $name', (codec) => {
  test('bring the values of those that are new, and nothing of those that left', async () => {
    const { client, change, view } = await grid(['a', 'b'], {}, codec);
    client.told();
    expect(await client.setKeys(view, ['b', 'c', 'd'])).toMatchObject({
      results: [{ topic: 'state', mode: 'state', offset: 4, recovered: true }],
    });
    expect(client.told()).toEqual([['partial', 'c3', 'd4']]);
    await change('a', 'b');
    await change('c');
    expect(client.told()).toEqual([
      ['batch', 'b6'],
      ['batch', 'c7'],
    ]);
  });

  test('that are only fewer send nothing', async () => {
    const { client, change, view } = await grid(['a', 'b'], {}, codec);
    client.told();
    await client.setKeys(view, ['b']);
    expect(client.told()).toEqual([]);
    await change('a', 'b');
    expect(client.told()).toEqual([['batch', 'b6']]);
  });
});

describe('other keys', () => {
  test('come again and again, each time by the view that was named last', async () => {
    const { client, change, view } = await grid(['a']);
    let at = view;
    for (const keys of [['b'], ['c'], ['c', 'd'], ['a']]) at = viewIn(await client.setKeys(at, keys));
    expect(client.told()).toEqual([['partial', 'a1']]);
    await change('a', 'b');
    expect(client.told()).toEqual([['batch', 'a5']]);
    expect(await client.setKeys(view, ['a'])).toMatchObject({ kind: 'error', code: 'not_subscribed' });
  });

  test('that are the same change nothing', async () => {
    const { client, view } = await grid(['a', 'b']);
    expect(await client.setKeys(view, ['b', 'a', 'a'])).toMatchObject({
      results: [{ view, recovered: true }],
    });
    expect(client.told()).toEqual([]);
  });

  test('lose nothing of what the view has not sent yet', async () => {
    const { client, publish, settle, view } = await grid(['a', 'b']);
    client.told();
    // Committed, but not flushed: the command comes in the same turn.
    const publishing = publish('state', { key: 'a' }, { key: 'b' }, { key: 'c' });
    client.command({ kind: 'setKeys', id: 7, view, keys: ['b', 'c'] });
    await publishing;
    await settle();
    const newest = new Map<string, string>();
    for (const [, ...values] of client.told() as string[][])
      for (const value of values) newest.set(value[0] as string, value);
    expect(Object.fromEntries(newest)).toMatchObject({ b: 'b6', c: 'c7' });
  });

  test('lose nothing in the turn in which a frame was dropped', async () => {
    const { client, publish, turns, settle, view } = await grid(['a']);
    const { connection, command } = client;
    client.told();
    connection.stalled = true;
    connection.buffered = connection.limitBytes + 1;
    await publish('state', { key: 'a' });
    turns.turn();
    expect(client.told()).toEqual([]);
    connection.stalled = false;
    connection.drain();
    command({ kind: 'setKeys', id: 7, view, keys: ['a', 'b'] });
    await settle();
    expect(client.told().flat()).toContain('a5');
  });

  test('wait with the rest of the values where not all had been sent: then all come again', async () => {
    const { connect } = await grid(['a', 'b', 'c', 'd'], {
      pageBytes: 1,
      backpressureMaxBytes: 40,
    });
    const slow = connect();
    slow.connection.stalled = true;
    await slow.subscribe({ keys: ['a', 'b', 'c'] });
    const { connection } = slow;
    expect(connection.of('snapshot').length).toBeLessThan(3);
    const result = connection
      .of('subscribed')
      .flatMap(({ results }) => results)
      .at(-1);
    const reply = await slow.setKeys((result as Granted).view, ['c', 'd']);
    expect(resultIn(reply).recovered).toBeUndefined();
    connection.stalled = false;
    connection.drain();
    expect(connection.of('snapshot').map(({ partial }) => partial)).not.toContain(true);
    expect(
      slow
        .told()
        .flat()
        .filter((each) => each !== 'snapshot'),
    ).toEqual(['c3', 'd4']);
  });

  test('take the place of the ones before, where no other is free', async () => {
    const { client, view, connect } = await grid(['a'], { fanout: { viewsPerTopic: 2, viewsMax: 100 } });
    const next = viewIn(await client.setKeys(view, ['b']));
    const shared = connect();
    await shared.subscribe({ keys: ['b'] });
    // The view is that of another, too, so a second place would be needed.
    expect(await client.setKeys(next, ['c'])).toMatchObject({ kind: 'error', code: 'too_many_views' });
    expect(await client.setKeys(next, ['b'])).toMatchObject({ results: [{ view: next }] });
  });

  test('leave the view to others that have it too', async () => {
    const { client, connect, change, view } = await grid(['a']);
    const other = connect();
    expect(viewIn(await other.subscribe({ keys: ['a'] }))).toBe(view);
    await client.setKeys(view, ['b']);
    for (const { told } of [client, other]) told();
    await change('a', 'b');
    expect([client.told(), other.told()]).toEqual([[['batch', 'b6']], [['batch', 'a5']]]);
  });

  test('go on telling who is subscribed where that was wanted', async () => {
    const { connect, settle } = await grid(['a']);
    const permissions = [{ pattern: 'state', allow: ['subscribe', 'presence'] }] as const;
    const watcher = connect(codecs.protobuf, user('watcher', { permissions }));
    const view = viewIn(await watcher.subscribe({ keys: ['a'], presence: true }));
    const next = viewIn(await watcher.setKeys(view, ['b']));
    await watcher.setKeys(next, ['c']);
    watcher.connection.forget();
    const other = connect();
    await other.subscribe({ keys: ['d'] });
    other.command({ kind: 'unsubscribe', id: 7, topics: ['state'] });
    await settle();
    const told = watcher.connection.frames().filter(({ kind }) => kind === 'joined' || kind === 'left');
    expect(told.map(({ kind }) => kind)).toEqual(['joined', 'left']);
  });

  test('of a subscription without keys, or equal to those of another, are refused', async () => {
    const { client, connect, view } = await grid(['a']);
    const plain = connect();
    const all = viewIn(await plain.subscribe({}));
    expect(await plain.setKeys(all, ['a'])).toMatchObject({ code: 'invalid_request' });
    await client.subscribe({ keys: ['b'] });
    expect(await client.setKeys(view, ['b'])).toMatchObject({ code: 'already_subscribed' });
    expect(await client.setKeys(view, [])).toMatchObject({ code: 'invalid_request' });
  });
});
