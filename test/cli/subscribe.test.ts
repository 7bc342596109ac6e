import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CliDeps } from '../../src/cli/deps.ts';
import { startGateway } from '../support/gateway.ts';
import { run } from './world.ts';

const apiKey = 'k'.repeat(20);
const tokenSecret = 's3cr3t-'.repeat(6);

type Gateway = Awaited<ReturnType<typeof startGateway>>;
let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ apiKeys: [apiKey], tokenSecret });
});
afterAll(() => gateway.close());

let topic = '';
let topics = 0;
beforeEach(() => {
  topic = `news-${++topics}`;
});

async function publish(name: string, data: string, ...flags: string[]): Promise<void> {
  const { exitCode, complaints } = await cli(['publish', name, data, ...flags]);
  expect([exitCode, complaints]).toEqual([0, '']);
}

/** With the gateway's own key, if the world has no other environment. It isn't stopped, unless the world says so. */
function cli(args: readonly string[], world: Partial<CliDeps> = {}) {
  return run(args, {
    untilStopped: () => new Promise(() => undefined),
    ...world,
    env: { SLUICE_API_KEYS: apiKey, ...world.env, SLUICE_PORT: `${gateway.port}` },
  });
}

function linesOf({ out }: { readonly out: string }): unknown[] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('sluice subscribe', () => {
  test('prints a line for each publication, with its payload byte for byte but for line breaks', async () => {
    await publish(topic, '{"a":1.0,\n"b":"x\\ny"}', '--type', 'news', '--key', 'k', '--tag', 'r=eu');
    await publish(topic, 'null');
    const result = await cli(['subscribe', topic, '--last', '2', '--count', '2']);
    expect(result).toMatchObject({ exitCode: 0, complaints: '' });
    expect(result.out).toContain('"data":{"a":1.0, "b":"x\\ny"}');
    expect(linesOf(result)).toEqual([
      {
        type: 'news',
        topic,
        key: 'k',
        tags: { r: 'eu' },
        data: { a: 1, b: 'x\ny' },
        offset: 1,
        timestamp: expect.any(String),
      },
      { type: 'update', topic, data: null, offset: 2, timestamp: expect.any(String) },
    ]);
  });

  test('prints what is published later, of several topics and patterns, until it has printed enough', async () => {
    let printed = '';
    let next = 0;
    const result = await cli(['subscribe', topic, `${topic}:*`, '--last', '1', '--count', '3'], {
      print: (text) => {
        printed += text;
        if (++next < 3) void publish(`${topic}:${next}`, `${next}`);
      },
      untilStopped: () => {
        void publish(topic, '0');
        return new Promise(() => undefined);
      },
    });
    expect(result).toMatchObject({ exitCode: 0, complaints: '' });
    expect(linesOf({ out: printed })).toMatchObject([
      { topic, data: 0 },
      { topic: `${topic}:1`, data: 1 },
      { topic: `${topic}:2`, data: 2 },
    ]);
  });

  test('prints the values of a state topic', async () => {
    await publish(`server:${topic}`, '1', '--key', 'a');
    await publish(`server:${topic}`, '2', '--key', 'a');
    await publish(`server:${topic}`, '3', '--key', 'b');
    const result = await cli(['subscribe', `server:${topic}`, '--count', '2']);
    expect(linesOf(result)).toMatchObject([
      { key: 'a', data: 2 },
      { key: 'b', data: 3 },
    ]);
  });

  test('prints only what a filter lets through', async () => {
    await publish(topic, '1', '--tag', 'r=us');
    await publish(topic, '2', '--tag', 'r=eu');
    const filter = '{"op":"eq","tag":"r","value":"eu"}';
    const result = await cli(['subscribe', topic, '--last', '9', '--filter', filter, '--count', '1']);
    expect(linesOf(result)).toMatchObject([{ data: 2 }]);
  });

  test('has a token for its topics where there is a secret and no key', async () => {
    await publish(topic, '1');
    const args = ['subscribe', topic, '--last', '1', '--count', '1'];
    const env = { SLUICE_API_KEYS: undefined, SLUICE_TOKEN_SECRET: tokenSecret };
    expect(linesOf(await cli(args, { env }))).toMatchObject([{ data: 1 }]);
  });

  test.each<[string, Partial<CliDeps>]>([
    ['the process is asked to end', { untilStopped: async () => 'SIGINT' }],
    ['the reader of its lines has ended', { untilUnread: async () => undefined }],
  ])('ends when %s', async (_, world) => {
    expect(await cli(['subscribe', topic], world)).toMatchObject({ exitCode: 0, out: '', complaints: '' });
  });

  test.each<[string, readonly string[], Partial<CliDeps>, number, string]>([
    ['a name that no topic has', ['st ats'], {}, 1, 'st ats: a topic name is made of'],
    ['a filter of no kind', ['t', '--filter', '{"op":"?"}'], {}, 1, 'wrong op or operand in the filter: ?'],
    ['a filter that is no JSON', ['t', '--filter', '{op'], {}, 2, 'A filter is JSON'],
    ['no number', ['t', '--count', '1.5'], {}, 2, 'a whole number of at least 1'],
    ['no topic', [], {}, 2, "missing required argument 'topics'"],
    [
      'a key that the gateway does not know',
      ['t', '--api-key', 'x'.repeat(20)],
      {},
      1,
      'this API key is not known\n',
    ],
    ['no credential', ['t'], { env: { SLUICE_API_KEYS: undefined } }, 1, 'a token or an API key is needed\n'],
    ['a topic that the token does not list', ['t', '--token'], {}, 1, 't: '],
    ['a gateway that is not there', ['t', '--url', 'http://127.0.0.1:1'], {}, 1, '127.0.0.1:1'],
  ])('says what is wrong with %s', async (_, args, world, exitCode, complaint) => {
    const token = await run(['token', '--subscribe', 'other'], { env: { SLUICE_TOKEN_SECRET: tokenSecret } });
    const given = args.at(-1) === '--token' ? [...args, token.out.trim()] : args;
    const result = await cli(['subscribe', ...given], world);
    expect(result).toMatchObject({ exitCode, out: '' });
    expect(result.complaints).toContain(complaint);
  });
});
