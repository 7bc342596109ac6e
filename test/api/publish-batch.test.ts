import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ArrayItems, LineItems } from '../../src/api/batch-items.ts';
import type { ApiPorts } from '../../src/api/ports.ts';
import { publishBatch } from '../../src/api/publish.ts';
import type { Call, Route } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes.ts';
import { WorkQueue } from '../../src/api/work-queue.ts';
import { localIdentity } from '../../src/auth/identity.ts';
import { SluiceError } from '../../src/errors.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { JsonScanner } from '../../src/protocol/json/scanner.ts';
import { Departure } from '../../src/sessions/departure.ts';
import type { AppendOutcome } from '../../src/topics/engine.ts';
import { gatewayPayer } from '../../src/topics/payer.ts';
import { startApi } from './harness.ts';

const path = '/api/publish/batch';
const ndjson = { 'content-type': 'application/x-ndjson' };

interface Results {
  readonly results: readonly { readonly offset?: number; readonly error?: { readonly code: string } }[];
}
const summary = ({ results }: Results) => results.map(({ offset, error }) => offset ?? error?.code);

describe('a batch', () => {
  test('of an array has a result per item', async () => {
    const { post } = await startApi();
    const answer = await post(path, '[{"topic":"a"},{"topic":"b"},{"topic":"a"}]');
    expect([answer.status, summary(answer.json())]).toEqual([200, [1, 1, 2]]);
  });

  test('tells each result the epoch of its own topic', async () => {
    const { post, broker } = await startApi();
    const items = ['a', 'b', 'a', 'c', 'c', 'b'].map((topic) => ({ topic }));
    const { results } = (await post(path, JSON.stringify(items))).json<{ results: { epoch: string }[] }>();
    const epochs = items.map(({ topic }) => broker.find(topic)?.epoch);
    expect(new Set(epochs).size).toBe(3);
    expect(results.map(({ epoch }) => epoch)).toEqual(epochs);
  });

  test('tells when to try again what it refuses for a while', async () => {
    const error = new SluiceError('rate_limited', undefined, { retryAfterMs: 1.5 });
    const publisher = { publish: () => [{ ok: false, error }] as const };
    const { post } = await startApi({ ports: { publisher } });
    const told = { code: 'rate_limited', retryAfterMs: 2 };
    expect((await post(path, '[{"topic":"a"}]')).json()).toMatchObject({ results: [{ error: told }] });
    const broadcast = '{"type":"t","topics":["a"],"data":1}';
    expect((await post('/api/broadcast', broadcast)).json()).toMatchObject({ results: [{ error: told }] });
  });

  test('of a file of lines, with any line ends', async () => {
    const { post } = await startApi();
    const answer = await post(path, '{"topic":"a"}\r\n\n{"topic":"a"}\n', ndjson);
    expect([answer.status, summary(answer.json())]).toEqual([200, [1, 2]]);
  });

  test.each([
    ['a fault of the schema', '{"topic":1}', 'invalid_request'],
    ['a topic outside the grammar', '{"topic":"a b"}', 'invalid_topic'],
    ['a member twice', '{"topic":"a","topic":"a"}', 'invalid_json'],
    ['no JSON', '{"topic":tru}', 'invalid_json'],
    ['nothing', '', 'invalid_json'],
    ['no object', '7', 'invalid_json'],
  ])('%s in one item does not harm the others', async (_, item, code) => {
    const { post } = await startApi();
    const answer = await post(path, `[{"topic":"a"},${item},{"topic":"a"}]`);
    expect([answer.status, summary(answer.json())]).toEqual([200, [1, code, 2]]);
  });

  test('a line that is not UTF-8 does not harm the others', async () => {
    const { post } = await startApi();
    const body = Buffer.concat([
      Buffer.from('{"topic":"a"}\n"'),
      Buffer.from([0xff]),
      Buffer.from('"\n{"topic":"a"}'),
    ]);
    expect(summary((await post(path, body, ndjson)).json())).toEqual([1, 'invalid_json', 2]);
  });

  test('says which items were duplicates', async () => {
    const { post } = await startApi();
    const item = '{"topic":"a","messageId":"m"}';
    const { results } = (await post(path, `[${item},${item}]`)).json<Results>();
    expect(results[1]).toEqual({ ...results[0], duplicate: true });
    expect(results[0]).not.toHaveProperty('duplicate');
  });

  test('has 1000 items at most', async () => {
    const published: PublishFields[] = [];
    const publish = (fields: readonly PublishFields[]): AppendOutcome[] => {
      published.push(...fields);
      return fields.map(() => ({ ok: false, error: new SluiceError('payload_too_large') }));
    };
    const { post } = await startApi({ ports: { publisher: { publish }, bodyMaxBytes: 100_000 } });
    const items = (count: number) => `[${Array.from({ length: count }, () => '{"topic":"a"}').join()}]`;
    const full = (await post(path, items(1000))).json<Results>();
    expect([full.results.length, full.results[999]?.error?.code]).toEqual([1000, 'payload_too_large']);
    const over = await post(path, items(1001));
    expect([over.status, over.json()]).toMatchObject([400, { error: { code: 'invalid_request' } }]);
    expect(published.length).toBe(1000);
  });

  test('has no item that overtakes one of an earlier part, which was refused for now', async () => {
    let published = 0;
    const publish = (fields: readonly PublishFields[]): AppendOutcome[] =>
      fields.map(() =>
        ++published < 100
          ? { ok: true, epoch: 'e', offset: published, duplicate: false }
          : { ok: false, error: new SluiceError('rate_limited') },
      );
    const { post } = await startApi({ ports: { publisher: { publish }, bodyMaxBytes: 100_000 } });
    const items = Array.from({ length: 300 }, () => ({ topic: 'a', type: 'update' }));
    const { results } = (await post(path, JSON.stringify(items))).json<Results>();
    const codes = results.map(({ error }) => error?.code);
    expect([codes.indexOf('rate_limited'), codes.lastIndexOf(undefined), codes.length]).toEqual([
      99, 98, 300,
    ]);
    expect(published).toBe(100);
  });

  test('goes on after an item whose topic found no place, without those of that topic in later parts', async () => {
    let isFull = true;
    const told: string[][] = [];
    const publish = (fields: readonly PublishFields[]): AppendOutcome[] => {
      told.push([...new Set(fields.map(({ topic }) => topic))]);
      const outcomes = fields.map(
        ({ topic }): AppendOutcome =>
          isFull && topic === 'new'
            ? { ok: false, error: new SluiceError('too_many_topics') }
            : { ok: true, epoch: 'e', offset: 1, duplicate: false },
      );
      isFull = false;
      return outcomes;
    };
    const { post } = await startApi({ ports: { publisher: { publish }, bodyMaxBytes: 100_000 } });
    const items = Array.from({ length: 300 }, (_, i) => ({ topic: i % 50 === 5 ? 'new' : 'a' }));
    const { results } = (await post(path, JSON.stringify(items))).json<Results>();
    expect(results.map(({ error }) => error?.code)).toEqual(
      items.map(({ topic }) => (topic === 'new' ? 'too_many_topics' : undefined)),
    );
    expect(told).toEqual([['a', 'new'], ['a'], ['a']]);
  });

  test.each([
    ['an array', 'application/json', (count: number) => `[${Array(count).fill('{"topic":"a"}').join()}]`],
    ['lines', 'application/x-ndjson', (count: number) => '{"topic":"a"}\n'.repeat(count)],
  ])('of %s is read one item further than that', async (_, contentType, bodyOf) => {
    const { ports } = await startApi();
    for (const [count, expected] of [
      [999, 999],
      [1000, 1000],
      [1001, 1001],
      [40_000, 1001],
    ] as const) {
      let read = 0;
      const counting: ApiPorts = {
        ...ports,
        authorize: (...asked) => {
          read++;
          return ports.authorize(...asked);
        },
      };
      const call: Call = {
        params: {},
        query: {},
        body: Buffer.from(bodyOf(count)),
        contentType,
        ifNoneMatch: '',
        acceptEncoding: '',
        identity: localIdentity,
        payer: gatewayPayer,
        departure: new Departure(),
      };
      const answer = async () => (await publishBatch(call, counting)).status;
      if (count > 1000) await expect(answer()).rejects.toThrow('at most 1000 items');
      else expect(await answer()).toBe(200);
      expect(read).toBe(expected);
    }
  });

  test('of nothing returns nothing', async () => {
    const { post } = await startApi();
    expect((await post(path, ' [ ] ')).json()).toEqual({ results: [] });
    expect((await post(path, '\n\n', ndjson)).json()).toEqual({ results: [] });
  });

  test.each(['{}', '', '[', '[{"topic":"a"}', '[]]', '[{"topic":"a"}]x', '[{"topic":"a}]'])(
    '%j is no array',
    async (body) => {
      const { post } = await startApi();
      const answer = await post(path, body);
      expect([answer.status, answer.json()]).toMatchObject([400, { error: { code: 'invalid_json' } }]);
    },
  );
});

describe('finding the items', () => {
  type Take<T> = ConstructorParameters<typeof ArrayItems<T>>[3];
  type Items = typeof ArrayItems | typeof LineItems;

  function readAll<T>(Kind: Items, body: Buffer, most: number, take: Take<T>): readonly T[] {
    const items = new Kind(new JsonScanner(body), body, most, take);
    items.readUntil(body.length);
    return items.items;
  }

  const textsOf = (Kind: Items, body: string) =>
    readAll(Kind, Buffer.from(body), 10, (_, start, end) =>
      Buffer.from(body).toString('utf8', start, end).trim(),
    );

  test.each([
    ['[]', []],
    ['[1]', ['1']],
    ['[ 1 , [2,3] , {"a":[4,5]} ]', ['1', '[2,3]', '{"a":[4,5]}']],
    ['["a,b","]","\\"],[",1]', ['"a,b"', '"]"', '"\\"],["', '1']],
    ['[,]', ['', '']],
    ['[1,]', ['1', '']],
  ])('of %s', (text, items) => {
    expect(textsOf(ArrayItems, text)).toEqual(items);
  });

  test.each(['["', '[1}', '{}'])('of %s, which is no array', (text) => {
    expect(() => textsOf(ArrayItems, text)).toThrow('not a JSON array');
  });

  test.each([
    ['arrays', ArrayItems, (count: number) => `[${'{} ,'.repeat(count - 1)}{} ]`],
    ['lines', LineItems, (count: number) => '{}\n\n'.repeat(count)],
  ])('of %s ends after the number that was asked for', (_, Kind, bodyOf) => {
    for (const [count, taken] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 3],
      [500, 3],
    ] as const) {
      const starts: number[] = [];
      const items = readAll(Kind, Buffer.from(bodyOf(count)), 3, (_, start) => starts.push(start));
      expect([items.length, starts.length]).toEqual([taken, taken]);
    }
  });

  test.each([
    ['arrays', ArrayItems, '[ 1 ,[2,3], {"a":4} ,5]'],
    ['lines', LineItems, '\n1\n[2,3] \n\n {"a":4}\n5'],
  ])('of %s reads piece by piece what it reads in one go', (_, Kind, text) => {
    const body = Buffer.from(text);
    const take: Take<string> = (_, start, end) => text.slice(start, end);
    const whole = readAll(Kind, body, 10, take);
    expect(whole).toHaveLength(4);
    for (let pieceBytes = 1; pieceBytes <= body.length; pieceBytes++) {
      const items = new Kind(new JsonScanner(body), body, 10, take);
      const ends: boolean[] = [];
      while (ends.at(-1) !== true) {
        const before = items.items.length;
        ends.push(items.readUntil(items.position + pieceBytes));
        // Of a piece of one byte, no more than the item that begins there.
        if (pieceBytes === 1) expect(items.items.length - before).toBeLessThanOrEqual(1);
      }
      expect(items.items).toEqual(whole);
    }
  });

  test('of lines looks at blank ones once', () => {
    let looks = 0;
    const body = new Proxy(Buffer.from(`${'\n'.repeat(2000)}{}${' \n'.repeat(1000)}`), {
      get(bytes, name) {
        const value: unknown = Reflect.get(bytes, name, bytes);
        if (typeof value === 'number') looks++;
        return typeof value === 'function' ? value.bind(bytes) : value;
      },
    });
    expect(readAll(LineItems, body, 10, (_, start, end) => [start, end])).toEqual([[2000, 2003]]);
    expect(looks).toBeLessThan(4 * body.length);
  });

  test('of lines are all but blank ones', () => {
    expect(textsOf(LineItems, 'a\n \t\r\nb\n\nc')).toEqual(['a', 'b', 'c']);
    expect(textsOf(LineItems, '')).toEqual([]);
  });
});

describe('a large body', () => {
  const large = 300 * 1024;
  const padded = (text: string) => text.padEnd(large);

  /** An API whose turns come when the test says so. */
  async function startWithTurns() {
    const next: (() => void)[] = [];
    const spent: string[] = [];
    let nowMs = 0;
    const turns = new WorkQueue({
      nextTurn: (callback) => next.push(callback),
      workMs: () => nowMs++,
      spent: (account, ms, bytes) => spent.push(`${account} ${ms} ${bytes}`),
      waitMs: () => 0,
      refused: () => undefined,
    });
    const api = await startApi({ ports: { turns, bodyMaxBytes: 10 * large } });
    return { ...api, spent, turn: () => next.splice(0).map((callback) => callback()).length };
  }

  const settled = () => new Promise((resolve) => setImmediate(resolve));

  const faulty = (count: number) => `[${Array.from({ length: count }, () => '{}').join(',')}]`;
  /** A list of entries that are all faulty: the longest that is read at once, and one more entry. */
  const shortLists = (before: string, entry: string, after: string) => {
    const count = Math.floor((512 - before.length - after.length + 1) / (entry.length + 1));
    const listOf = (length: number) => `${before}${Array.from({ length }, () => entry).join(',')}${after}`;
    return [listOf(count), listOf(count + 1)] as const;
  };
  const [acksAtOnce, acks] = shortLists('{"acks":[', '{}', ']}');
  const [usersAtOnce, users] = shortLists('{"users":[', '1', ']}');

  test('may be one of these routes, if it has a list: streams and polls are read in turns elsewhere', () => {
    const hasList = ({ body }: Route) =>
      body?.schema !== undefined &&
      JSON.stringify(z.toJSONSchema(body.schema, { io: 'input' })).includes('"maxItems"');
    expect(routes.filter(hasList).map(({ path }) => path)).toEqual([
      '/api/publish/batch',
      '/api/broadcast',
      '/api/connections/{id}/acks',
      '/sse',
      '/poll',
    ]);
  });

  test.each([
    ['/api/publish', padded('{"topic":"a"}'), 200],
    ['/api/broadcast', padded('{"data":1}'), 200],
    ['/api/publish/batch', padded('[{"topic":"a"}]'), 200],
    ['/api/publish/batch', faulty(101), 200],
    ['/api/publish/batch', faulty(1000), 200],
    ['/api/broadcast', users, 400],
    ['/api/connections/a/acks', acks, 400],
  ])(
    'of %s is read in a turn of its own, one a turn, and not charged to the operator',
    async (path, text, status) => {
      const { post, turn, spent } = await startWithTurns();
      const answers: number[] = [];
      for (let i = 0; i < 2; i++) void post(path, text).then((answer) => answers.push(answer.status));
      await settled();
      expect([answers, spent]).toEqual([[], []]);
      expect(turn()).toBe(1);
      await settled();
      expect(answers).toEqual([status]);
      expect(turn()).toBe(1);
      await settled();
      expect([answers, spent]).toEqual([[status, status], []]);
    },
  );

  test('of a user is charged to the user, by time and by the bytes that are published', async () => {
    const { ports, turn, spent } = await startWithTurns();
    const call: Call = {
      params: {},
      query: {},
      body: Buffer.from(padded('[{"topic":"a","data":12345},{"topic":"b","data":67}]')),
      contentType: 'application/json',
      ifNoneMatch: '',
      acceptEncoding: '',
      identity: { user: 'a', scopes: [], permissions: [{ pattern: '*', allow: ['publish'] }] },
      payer: { account: 'user a', isVerified: true },
      departure: new Departure(),
    };
    const answer = publishBatch(call, ports);
    expect(turn()).toBe(1);
    await answer;
    expect(spent).toEqual(['user a 1 0', 'user a 0 7']);
  });

  test.each([
    ['/api/publish', '{"topic":"a"}'.padEnd(256 * 1024), 200],
    ['/api/publish/batch', faulty(99), 200],
    ['/api/publish/batch', faulty(100), 200],
    ['/api/broadcast', usersAtOnce, 400],
    ['/api/connections/a/acks', acksAtOnce, 400],
  ])('to %s is answered in the turn in which it comes, unless it is large', async (path, body, status) => {
    const { post, turn } = await startWithTurns();
    expect((await post(path, body)).status).toBe(status);
    expect(turn()).toBe(0);
  });

  test.each([
    ['an array', {}, (items: readonly string[]) => `[${items.join(',')}]`],
    ['lines', ndjson, (items: readonly string[]) => items.join('\n')],
  ])('that is a batch of %s is read and published over several turns', async (_, headers, bodyOf) => {
    const { post, turn } = await startWithTurns();
    const items = Array.from({ length: 600 }, (_, i) => `{"topic":"a${i % 3}","data":"${'x'.repeat(1000)}"}`);
    const answering = post(path, bodyOf(items), headers);
    let turns = 0;
    for (await settled(); turn() > 0; await settled()) turns++;
    // Three to read it, and six for a hundred items each.
    expect(turns).toBe(9);
    const { results } = (await answering).json<Results>();
    expect(results.map(({ offset }) => offset)).toEqual(items.map((_, i) => Math.floor(i / 3) + 1));
  });

  test('that is wrong is refused, and the next one is read', async () => {
    const { post, turn } = await startWithTurns();
    const answers = [
      post(path, padded('[{"topic":"a"}')),
      post('/api/publish', padded('{')),
      post(path, padded('[]')),
    ];
    for (await settled(); turn() > 0; await settled());
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([400, 400, 200]);
  });
});
