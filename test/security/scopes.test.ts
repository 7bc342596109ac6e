import { beforeAll, expect, test } from 'vitest';
import { routes } from '../../src/api/routes.ts';
import { type CompatRouteOptions, compatRoutes } from '../../src/compat/routes.ts';
import { systemsOf } from '../../src/compat/systems.ts';
import { JsonClient } from '../support/json-client.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';

/** By name: the key, and what the configuration says of it; `none` is a request without a key. */
const keys = {
  publish: { scopes: ['publish'] },
  read: { scopes: ['read'] },
  admin: { scopes: ['admin'] },
  'publish in': { scopes: ['publish'], topics: ['in:*'] },
  'read in': { scopes: ['read'], topics: ['in:*'] },
  'both in': { scopes: ['publish', 'read'], topics: ['in:*'] },
  none: { scopes: [] },
} as const;
type KeyName = keyof typeof keys;
const names = Object.keys(keys) as KeyName[];
const keyOf = (name: KeyName | 'other') => `a-key-that-may-${name.replace(' ', '-')}`;
const credentialOf = (name: KeyName): Record<string, string> =>
  name === 'none' ? {} : { 'x-api-key': keyOf(name) };

type Need = 'publish' | 'read' | 'admin';

/**
 * A request to a route: the scope that it needs, whether what it names is among `in:*`, and whether this machine needs
 * no key for it.
 */
interface Row {
  readonly route: string;
  readonly path?: string;
  readonly body?: unknown;
  readonly need: Need | 'nothing';
  readonly inside?: true;
  readonly local?: true;
}

const publication = (topic: string) => ({ topic, type: 'e', data: 1 });
const topics = ['in:1', 'out'] as const;
const insideIf = (topic: string): Pick<Row, 'inside'> => (topic.startsWith('in:') ? { inside: true } : {});
const ofTopics = (row: (topic: string) => Omit<Row, 'inside'>): Row[] =>
  topics.map((topic) => ({ ...row(topic), ...insideIf(topic) }));
const free = (...paths: string[]): Row[] => paths.map((path) => ({ route: `GET ${path}`, need: 'nothing' }));

const rows: readonly Row[] = [
  ...ofTopics((topic) => ({ route: 'POST /api/publish', body: publication(topic), need: 'publish' })),
  ...ofTopics((topic) => ({ route: 'POST /api/publish/batch', body: [publication(topic)], need: 'publish' })),
  { route: 'POST /api/broadcast', body: { data: 1 }, need: 'publish' },
  { route: 'POST /api/users/{user}/notify', body: { data: 1 }, need: 'publish' },
  { route: 'POST /api/users/{user}/sync', body: { data: 1, except: 'x' }, need: 'publish' },
  { route: 'GET /api/users/{user}/connections', need: 'read' },
  { route: 'GET /api/stats', need: 'read' },
  { route: 'GET /api/topics', need: 'read' },
  { route: 'GET /api/topics', path: '/api/topics?prefix=in:', need: 'read', inside: true },
  { route: 'GET /api/topics', path: '/api/topics?prefix=in', need: 'read' },
  ...['', '/history', '/latest'].flatMap((part) =>
    ofTopics((topic) => ({
      route: `GET /api/topics/{topic}${part}`,
      path: `/api/topics/${topic}${part}`,
      need: 'read',
    })),
  ),
  { route: 'PUT /api/jobs/{id}', body: { status: 'running', progress: 1 }, need: 'publish' },
  { route: 'GET /api/jobs/{id}/status', need: 'read' },
  { route: 'POST /api/call', body: { method: 'm' }, need: 'read', inside: true },
  { route: 'GET /api/connections', need: 'admin' },
  { route: 'POST /api/connections/{id}/disconnect', need: 'admin' },
  // A session may have views of any topic.
  { route: 'POST /api/connections/{id}/acks', body: { acks: [{ view: 1, offset: 1 }] }, need: 'read' },
  { route: 'POST /api/tokens/revoke', body: { jti: 'x' }, need: 'admin' },
  { route: 'POST /api/tokens/restore', body: { jti: 'y' }, need: 'admin' },
  { route: 'GET /api/tokens/revocations', need: 'admin' },
  ...['/sse', '/poll'].flatMap((path) => [
    ...ofTopics((topic) => ({ route: `GET ${path}`, path: `${path}?topic=${topic}&last=1`, need: 'read' })),
    ...ofTopics((topic) => ({ route: `POST ${path}`, body: { topic, last: 1 }, need: 'read' })),
  ]),
  { route: 'GET /metrics', need: 'read', local: true },
  ...free('/healthz', '/readyz', '/', '/dashboard.js', '/dashboard.css', '/try', '/try.js', '/try.css'),
  ...free('/client.js'),
  // Those of older systems.
  { route: 'GET /api/v1/websocket/stats', need: 'read' },
  { route: 'POST /api/v1/websocket/broadcast', body: { type: 'e', data: {} }, need: 'publish' },
  { route: 'POST /api/v1/websocket/broadcast', body: { server_id: '1', data: {} }, need: 'publish' },
  { route: 'POST /api/v1/websocket/connections/{id}/disconnect', need: 'admin' },
  { route: 'GET /market/stats', need: 'read' },
  { route: 'GET /api/v1/ws/stats', need: 'read' },
  { route: 'POST /api/v1/ws/broadcast', body: { type: 'e', data: {} }, need: 'publish' },
  { route: 'POST /api/v1/ws/broadcast', body: { user_ids: ['x'], data: {} }, need: 'publish' },
  { route: 'POST /api/v1/ws/broadcast', body: { room: '1', data: {} }, need: 'publish' },
  { route: 'POST /api/v1/ws/notify/{user}', body: { data: {} }, need: 'publish' },
  { route: 'POST /api/v1/ws/sync-update/{user}', body: { data: {} }, need: 'publish' },
  { route: 'GET /api/v1/ws/connections/{user}', need: 'read' },
  { route: 'POST /api/v1/notifications/demo', body: { user_id: 'x' }, need: 'publish' },
];

const apiKeys = [
  ...names
    .filter((name) => name !== 'none')
    .map((name) => ({ name: name.replace(' ', '-'), key: keyOf(name), ...keys[name] })),
  { name: 'other', key: keyOf('other') },
];
const gateway = gatewayOfFile(
  { compat: ['a', 'b', 'c', 'd', 'e'] },
  newFile('sluice.json', JSON.stringify({ apiKeys })),
);

beforeAll(async () => {
  for (const topic of topics) await gateway.publish(publication(topic), { 'x-api-key': keyOf('other') });
});

/** Whether the response says that the caller may do it, whatever else becomes of it. */
async function isAllowed({ route, path, body }: Row, name: KeyName): Promise<boolean> {
  const [method = '', pattern = ''] = route.split(' ');
  const given = new AbortController();
  const response = await fetch(gateway.url + (path ?? pattern.replace(/\{\w+\}/, 'x')), {
    method,
    headers: { ...credentialOf(name), 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: given.signal,
  });
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    const { value } = await (response.body as ReadableStream<Uint8Array>).getReader().read();
    given.abort();
    return !Buffer.from(value ?? '').includes('"code":"forbidden"');
  }
  const text = await response.text();
  return ![401, 403].includes(response.status) && !text.includes('"code":"forbidden"');
}

function mayBy({ need, inside, local }: Row, name: KeyName): boolean {
  if (need === 'nothing' || (local && name === 'none')) return true;
  const { scopes } = keys[name] as { scopes: readonly Need[] };
  return scopes.includes(need) && (inside === true || !('topics' in keys[name]));
}

const unused: CompatRouteOptions = {
  stats: () => ({ active: 0, total: 0, messages: 0, bytes: 0, users: [], subscriptions: [] }),
  isRunning: () => true,
};

test('every route has a row', () => {
  const systems = systemsOf({ compat: ['a', 'b', 'c', 'd', 'e'], compatNamespaces: [] });
  const all = [...routes, ...compatRoutes(systems, unused)];
  const named = new Set(rows.map(({ route }) => route));
  expect([...new Set(all.map(({ method, path }) => `${method} ${path}`))].sort()).toEqual([...named].sort());
});

test.each(
  rows.map((row) => [`${row.route} ${row.path ?? ''} ${JSON.stringify(row.body) ?? ''}`, row] as const),
)('%s is for keys with its scope, and for its topics', async (_, row) => {
  const found = await Promise.all(names.map(async (name) => [name, await isAllowed(row, name)]));
  expect(Object.fromEntries(found)).toEqual(
    Object.fromEntries(names.map((name) => [name, mayBy(row, name)])),
  );
});

test('a batch is judged item by item', async () => {
  const batch = JSON.stringify([publication('in:1'), publication('out')]);
  const response = await gateway.post('/api/publish/batch', batch, credentialOf('publish in'));
  expect(await response.json()).toMatchObject({ results: [{}, { error: { code: 'forbidden' } }] });
});

const keyless = gatewayOfFile({ compat: ['a', 'b', 'c', 'd', 'e'] });

test('without keys every route that needs one is for this machine only', async () => {
  for (const { route, path, body, need } of rows) {
    if (need === 'nothing') continue;
    const [method = '', pattern = ''] = route.split(' ');
    const response = await fetch(keyless.url + (path ?? pattern.replace(/\{\w+\}/, 'x')), {
      method,
      headers: { 'x-forwarded-for': '192.0.2.1', 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    expect([route, response.status, await response.text()]).toEqual([
      route,
      403,
      expect.stringContaining('"code":"local_only"'),
    ]);
  }
});

/** Commands of a WebSocket. */
const commands: readonly Row[] = [
  ...ofTopics((topic) => ({ route: 'subscribe', body: { topic }, need: 'read' })),
  { route: 'subscribe', body: { topic: 'in:*' }, need: 'read', inside: true },
  { route: 'subscribe', body: { topic: '*' }, need: 'read' },
  { route: 'subscribe', body: { topic: '$canary' }, need: 'read' },
  ...ofTopics((topic) => ({ route: 'publish', body: { topic, event: 'e', data: 1 }, need: 'publish' })),
  ...ofTopics((topic) => ({ route: 'history', body: { topic }, need: 'read' })),
  ...ofTopics((topic) => ({ route: 'presence', body: { topic }, need: 'read' })),
];

test.each(names.filter((name) => name !== 'none'))(
  'commands by the key %s are for its scopes and topics',
  async (name) => {
    const client = await JsonClient.open(gateway.wsUrl, [], { headers: { 'x-api-key': keyOf(name) } });
    for (const row of commands) {
      const reply = JSON.stringify(await client.call({ type: row.route, ...(row.body as object) }));
      const isAllowedTo = !reply.includes('"code":"forbidden"');
      expect([row.route, row.body, isAllowedTo]).toEqual([row.route, row.body, mayBy(row, name)]);
    }
    await client.close();
  },
);
