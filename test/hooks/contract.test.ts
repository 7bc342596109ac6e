import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createGateway, type Gateway } from '../../src/index.ts';
import { HookServer, hookSecret, type Question } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

/** The application of all gateways here. Throws: a fault of the application. */
let answer: (question: Question) => unknown;
let asked: unknown[] = [];

const hookNames = ['connect', 'subscribe', 'publish', 'call'] as const;
const options = {
  port: 0,
  logLevel: 'silent',
  canary: false,
  shutdownGraceSeconds: 1,
  tokenSecret,
  anonymous: true,
  hookTimeoutMs: 60_000,
  callTimeoutMs: 60_000,
} as const;

/** What a question says besides which hook it is, and besides what differs from client to client. */
function shapeOf({ hook, ...question }: Question): unknown {
  const { session, address, ...client } = question.client;
  return JSON.parse(
    JSON.stringify({ ...question, client: { ...client, hasSession: session !== undefined } }),
  );
}

function reply(question: Question): unknown {
  asked.push([question.hook, shapeOf(question)]);
  return answer(question);
}

interface Kind {
  readonly name: string;
  start(failOpen: readonly (typeof hookNames)[number][]): Promise<Gateway>;
}

let server: HookServer;
const byUrl: Kind = {
  name: 'a URL',
  async start(hookFailOpen) {
    const { url } = server;
    const urls = { hookConnect: url, hookSubscribe: url, hookPublish: url, hookCall: url };
    const gateway = createGateway({
      ...options,
      ...urls,
      hookSecret,
      hookFailOpen: hookFailOpen.filter(mayFailOpen),
    });
    await gateway.listen();
    return gateway;
  },
};
const byFunction: Kind = {
  name: 'a function',
  async start(hookFailOpen) {
    const hooks = Object.fromEntries(
      hookNames.map((hook) => [hook, (question: object) => reply({ hook, ...question } as never)]),
    );
    const gateway = createGateway({ ...options, hooks, hookFailOpen: hookFailOpen.filter(mayFailOpen) });
    await gateway.listen();
    return gateway;
  },
};
const mayFailOpen = (hook: string): hook is 'connect' | 'subscribe' | 'publish' => hook !== 'call';

const allow = () => ({ allow: true });
const answers: readonly [name: string, answer: (question: Question) => unknown][] = [
  ['allows', ({ hook }) => (hook === 'call' ? { data: [1.5, 'ü', null] } : { allow: true })],
  ['refuses with a reason', () => ({ allow: false, reason: 'not\nyou' })],
  ['refuses without a reason', () => ({ allow: false })],
  ['answers nothing', () => null],
  ['answers a text', () => 'yes'],
  ['answers a list', () => [{ allow: true }]],
  ['misspells a member', () => ({ allow: true, filtre: { op: 'exists', tag: 'x' } })],
  [
    'answers for too many',
    () => ({ results: [{ allow: true }, { allow: true }, { allow: true }, { allow: true }] }),
  ],
  [
    'answers one by one',
    ({ hook }) =>
      hook === 'subscribe'
        ? { results: [{ allow: true }, { allow: false, reason: 'second' }] }
        : { allow: true },
  ],
  ['gives a filter that is none', () => ({ allow: true, filter: { op: 'nonsense' } })],
  ['grants', ({ hook }) => (hook === 'subscribe' ? { allow: true, grant: true } : { allow: true })],
  [
    'has a fault',
    () => {
      throw new Error('a fault of the application');
    },
  ],
];

beforeAll(async () => {
  server = await HookServer.start();
  server.answer = async (question) => {
    try {
      const given = await reply(question);
      // A text as JSON, which is no decision either.
      return typeof given === 'string' || given === null ? JSON.stringify(given) : given;
    } catch {
      return 500;
    }
  };
});
afterAll(() => server.close());
beforeEach(() => {
  answer = allow;
  asked = [];
});

/** What a client gets of all hooks, without what differs from client to client. */
async function story(gateway: Gateway, told: (question: Question) => unknown) {
  const url = `http://127.0.0.1:${gateway.port}`;
  const token = await signToken({
    sub: 'alice',
    topics: [{ pattern: 'own:*', allow: ['subscribe', 'publish'] }],
  });
  const authorization = `Bearer ${token}`;
  const codeOf = (frame: object) => {
    const { code, message, results, data, type } = frame as Record<string, unknown>;
    const each = (results as { error?: object }[] | undefined)?.map(({ error }) => error ?? 'ok');
    return { type, code, message, data, results: each };
  };
  const client = await JsonClient.open(`${url.replace('http', 'ws')}/ws`, [], { headers: { authorization } });
  asked = [];
  answer = told;
  const commands = [
    { type: 'subscribe', subscriptions: [{ topic: 'own:1' }, { topic: 'foreign' }] },
    { type: 'publish', topic: 'own:1', event: 'e', key: 'k', tags: { t: 'v' }, data: { n: 1 } },
    { type: 'call', method: 'm', data: [1] },
    { type: 'refresh', token },
  ];
  const replies: unknown[] = [];
  for (const command of commands) replies.push(codeOf(await client.call(command)));
  const explained = await fetch(`${url}/ws`, { headers: { authorization } });
  const { error } = (await explained.json()) as { error: { code: string; message: string } };
  const history = await fetch(`${url}/api/topics/own:1/history`, { headers: { authorization } });
  await history.text();
  answer = allow;
  const questions = [...asked];
  await client.close();
  return {
    replies: replies.map((each) => JSON.parse(JSON.stringify(each))),
    explained: [explained.status, error.code, error.message],
    history: history.status,
    questions,
  };
}

describe.each([
  ['closed', []],
  ['open', ['connect', 'subscribe', 'publish']],
] as const)('a hook that fails %s', (_, failOpen) => {
  let gateways: Gateway[];
  beforeAll(async () => {
    gateways = [await byUrl.start(failOpen), await byFunction.start(failOpen)];
  });
  afterAll(() => Promise.all(gateways.map((gateway) => gateway.close())));

  test.each(answers)('is the same by a URL and by a function: the application %s', async (name, told) => {
    const [first, second] = gateways as [Gateway, Gateway];
    const [byTheUrl, byTheFunction] = [await story(first, told), await story(second, told)];
    expect(byTheFunction).toEqual(byTheUrl);
    expect(byTheUrl.questions.length).toBeGreaterThan(4);
    const isRefusal = name.startsWith('refuses');
    expect(byTheUrl.explained[1]).toBe(
      isRefusal
        ? 'denied'
        : isFault(name) && failOpen.length === 0
          ? 'application_unavailable'
          : 'upgrade_required',
    );
  });
});

/** The answer to `connect` is none. */
function isFault(name: string): boolean {
  return !['allows', 'answers one by one', 'grants'].includes(name) && !name.startsWith('refuses');
}
