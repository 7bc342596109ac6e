import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openapiRoute } from '../../src/api/openapi.ts';
import type { Call } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes.ts';
import { nowMs, startApi } from './harness.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: object }>>;
  readonly requestBody?: { readonly content: object };
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

async function load(): Promise<Document> {
  const { get } = await startApi();
  return (await get('/openapi.json')).json<Document>();
}

function* refsIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === '$ref') yield inner as string;
    else yield* refsIn(inner);
  }
}

test('every route is described, the document itself too', async () => {
  const document = await load();
  expect(document.openapi).toBe('3.1.0');
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const expected = [...routes.map(({ method, path }) => `${method} ${path}`), 'GET /openapi.json'];
  expect(described.sort()).toEqual(expected.sort());
});

test('every reference leads somewhere, and no schema is left over', async () => {
  const document = await load();
  const refs = new Set(refsIn(document));
  const known = Object.keys(document.components.schemas).map((id) => `#/components/schemas/${id}`);
  expect([...refs].filter((ref) => !known.includes(ref))).toEqual([]);
  expect(known.filter((ref) => !refs.has(ref))).toEqual([]);
  expect(JSON.stringify(document)).not.toContain('$id');
});

test('every operation has its own id, its parameters, and its errors', async () => {
  const { paths } = await load();
  const operations = Object.entries(paths).flatMap(([path, byMethod]) =>
    Object.values(byMethod).map((operation) => ({ path, operation })),
  );
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  for (const { path, operation } of operations) {
    const inPath = operation.parameters
      .filter((parameter) => parameter.in === 'path')
      .map(({ name }) => `{${name}}`);
    expect(path.match(/\{\w+\}/g) ?? []).toEqual(inPath);
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', '500']));
    for (const response of Object.values(operation.responses)) expect(response.description).not.toBe('');
  }
  expect(paths['/api/publish']!['post']!.responses['409']!.description).toContain('message_id_conflict');
  expect(Object.keys(paths['/api/publish/batch']!['post']!.requestBody!.content)).toEqual([
    'application/json',
    'application/x-ndjson',
  ]);
});

test('parameters say what they are where tools show it', async () => {
  const { paths } = await load();
  const { parameters } = paths['/sse']!['get']!;
  expect(parameters.find(({ name }) => name === 'topic')).toMatchObject({
    description: 'A topic or pattern; repeatable.',
    schema: { type: 'array', items: { type: 'string' } },
  });
  expect(parameters.filter((each) => !('description' in each))).toEqual([]);
});

test('numbers of a query are described as numbers', async () => {
  const { paths } = await load();
  const limit = paths['/api/topics']!['get']!.parameters.find(({ name }) => name === 'limit');
  expect(limit).toMatchObject({
    in: 'query',
    schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
  });
});

describe('what is answered is what is described', () => {
  const example = {
    id: 'x',
    transport: 'websocket',
    codec: 'json',
    address: '127.0.0.1',
    connectedAtMs: nowMs,
    lastSeenAtMs: nowMs,
    messageCount: 0,
    subscriptions: [],
  };

  // The transport answers those of streams; test/e2e/poll.test.ts holds polls to what is described.
  const answered = routes.filter(
    ({ response, isStream }) => typeof response !== 'string' && isStream !== true,
  );

  test.each(answered.map((route) => [route.path, route] as const))(
    '%s',
    async (path, { method, response: described }) => {
      const { ask, post } = await startApi({ connections: [example] });
      await ask('PUT', '/api/jobs/x', { headers: { 'content-type': 'application/json' }, body: '{}' });
      await post('/api/publish', '{"topic":"x","key":"k","tags":{"a":"b"},"data":{"any":1}}');
      const bodies: Record<string, string> = {
        '/api/publish': '{"topic":"x"}',
        '/api/publish/batch': '[{"topic":"x"},{}]',
        '/api/users/{user}/sync': '{"except":"x"}',
        '/api/connections/{id}/acks': '{"acks":[{"view":1,"offset":0}]}',
        '/api/call': '{"method":"x"}',
        '/api/tokens/revoke': '{"jti":"x"}',
        '/api/tokens/restore': '{"jti":"x"}',
      };
      const headers = { 'content-type': 'application/json' };
      const target = path.replace(/\{\w+\}/, 'x');
      const response = await ask(method, target, { headers, body: bodies[path] ?? '{}' });
      expect(response.status).toBe(200);
      // Strict: nothing is returned that isn't described.
      const schema = described as z.ZodType;
      const parsed = schema.parse(response.json());
      expect(parsed).toEqual(response.json());
    },
  );

  test('errors have a code and a message', async () => {
    const { get } = await startApi();
    const shape = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) });
    expect(shape.safeParse((await get('/nothing')).json()).success).toBe(true);
  });
});

test('the document is built with its route, and not for the client that asks first', async () => {
  const summary = 'Counts how often it is described.';
  let reads = 0;
  const described = {
    ...routes[0]!,
    get summary() {
      reads++;
      return summary;
    },
  };
  const self = openapiRoute([described], '1.2.3');
  expect(reads).toBe(1);
  const { ports } = await startApi();
  const { body } = await self.handle({} as Call, ports);
  expect(Buffer.from(body).toString()).toContain(summary);
  expect(reads).toBe(1);
});
