import { startGateway, type TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { newFile } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

/** The namespaces of the five systems. No two systems share one, so that none touches another. */
const namespaces = {
  // A: the newest values of each server.
  server: { mode: 'state' },
  // B: the prices of each symbol, as `market:BTC/USDT`.
  market: { mode: 'stream', topicHistoryMaxPublications: 5000 },
  // C: kinds of events, as `admin:stats`; those within 100 ms leave together.
  admin: { mode: 'stream', batchMaxDelayMs: 100 },
  // D: rooms. Its users have `user:`, which is built in.
  room: { mode: 'stream' },
  // E: the newest progress of each job.
  job: { mode: 'state' },
} as const;

interface Permission {
  readonly pattern: string;
  readonly allow: readonly ('subscribe' | 'publish' | 'presence')[];
}

/** The gateway that all five systems share, with an API key for their backends and tokens for their clients. */
export interface SystemsGateway extends TestGateway {
  /** Sends JSON with the API key. Throws where the answer is an error; else returns its body. */
  send<T = Record<string, unknown>>(method: 'POST' | 'PUT', path: string, body: unknown): Promise<T>;
  /** Reads JSON with the API key. */
  read<T = Record<string, unknown>>(path: string): Promise<T>;
  /** A plain WebSocket that speaks JSON, closed with the gateway. Without a user: the backend itself, by its key. */
  open(user?: string, ...permissions: readonly Permission[]): Promise<JsonClient>;
  token(user: string, ...permissions: readonly Permission[]): Promise<string>;
  /** ws://127.0.0.1:PORT */
  readonly socketBase: string;
}

/**
 * `flags` as on the command line, `more` namespaces of one system. Close it: it closes the clients that it opened, and
 * removes its files.
 */
export async function startSystems(
  flags: Parameters<typeof startGateway>[0] = {},
  more: Readonly<Record<string, object>> = {},
): Promise<SystemsGateway> {
  const file = newFile('sluice.json', JSON.stringify({ namespaces: { ...namespaces, ...more } }));
  const gateway = await startGateway({ apiKeys: [apiKey], tokenSecret, ...flags }, file);
  const clients: JsonClient[] = [];
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };

  async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const answer = await fetch(gateway.url + path, { ...init, headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  const token = (user: string, ...permissions: readonly Permission[]) =>
    signToken({ sub: user, topics: permissions }, { expiresIn: '1h' });

  return {
    ...gateway,
    send: (method, path, body) => ask(path, { method, body: JSON.stringify(body) }),
    read: (path) => ask(path),
    publish: (what) => gateway.publish(what, headers),
    token,
    socketBase: `ws://127.0.0.1:${gateway.port}`,
    async open(user, ...permissions) {
      const credential = user === undefined ? apiKey : await token(user, ...permissions);
      const client = await JsonClient.open(`${gateway.wsUrl}?token=${credential}`);
      clients.push(client);
      return client;
    },
    metric: (name) => gateway.metric(name, headers),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await gateway.close();
    },
  };
}
