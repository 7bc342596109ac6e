import { describe, expect, test } from 'vitest';
import { arrayItems, lines } from '../../src/api/batch-items.ts';
import { publishBatch } from '../../src/api/publish.ts';
import type { Call } from '../../src/api/route.ts';
import { allScopes, localIdentity } from '../../src/auth/identity.ts';
import { SluiceError } from '../../src/errors.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
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

  test('of lines too, whatever the line ends are', async () => {
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
      return fields.map(() => ({ ok: false, error: new SluiceError('engine_unavailable') }));
    };
    const { post } = await startApi({ ports: { publisher: { publish }, bodyMaxBytes: 100_000 } });
    const items = (count: number) => `[${Array.from({ length: count }, () => '{"topic":"a"}').join()}]`;
    const full = (await post(path, items(1000))).json<Results>();
    expect([full.results.length, full.results[999]?.error?.code]).toEqual([1000, 'engine_unavailable']);
    const over = await post(path, items(1001));
    expect([over.status, over.json()]).toMatchObject([400, { error: { code: 'invalid_request' } }]);
    expect(published.length).toBe(1000);
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
      const identity = {
        ...localIdentity,
        get scopes() {
          read++;
          return allScopes;
        },
      };
      const call: Call = {
        params: {},
        query: {},
        body: Buffer.from(bodyOf(count)),
        contentType,
        ifNoneMatch: '',
        acceptEncoding: '',
        identity,
        payer: gatewayPayer,
      };
      const answer = async () => (await publishBatch(call, ports)).status;
      if (count > 1000) await expect(answer()).rejects.toThrow('at most 1000 items');
      else expect(await answer()).toBe(200);
      expect(read).toBe(expected);
    }
  });

  test('of nothing is answered with nothing', async () => {
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
  const textsOf = (find: typeof lines | typeof arrayItems, body: string) =>
    find(Buffer.from(body), 10, (_, start, end) => Buffer.from(body).toString('utf8', start, end).trim());

  test.each([
    ['[]', []],
    ['[1]', ['1']],
    ['[ 1 , [2,3] , {"a":[4,5]} ]', ['1', '[2,3]', '{"a":[4,5]}']],
    ['["a,b","]","\\"],[",1]', ['"a,b"', '"]"', '"\\"],["', '1']],
    ['[,]', ['', '']],
    ['[1,]', ['1', '']],
    ['["', undefined],
    ['[1}', undefined],
  ])('of %s', (text, items) => {
    expect(textsOf(arrayItems, text)).toEqual(items);
  });

  test.each([
    ['arrays', arrayItems, (count: number) => `[${'{} ,'.repeat(count - 1)}{} ]`],
    ['lines', lines, (count: number) => '{}\n\n'.repeat(count)],
  ])('of %s ends behind as many as were asked for', (_, find, bodyOf) => {
    for (const [count, taken] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 3],
      [500, 3],
    ] as const) {
      const starts: number[] = [];
      const items = find(Buffer.from(bodyOf(count)), 3, (_, start) => starts.push(start));
      expect([items?.length, starts.length]).toEqual([taken, taken]);
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
    expect(lines(body, 10, (_, start, end) => [start, end])).toEqual([[2000, 2003]]);
    expect(looks).toBeLessThan(4 * body.length);
  });

  test('of lines', () => {
    expect(textsOf(lines, 'a\n \t\r\nb\n\nc')).toEqual(['a', 'b', 'c']);
    expect(textsOf(lines, '')).toEqual([]);
  });
});
