import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { SluiceClient } from '../../src/client/index.ts';
import { startGateway } from '../support/gateway.ts';

const entry = fileURLToPath(new URL('../../src/client/index.ts', import.meta.url));

/** What a page gives, without any of the classes of bytes: those of another realm come with it. */
const surroundings = {
  console,
  performance,
  queueMicrotask,
  setTimeout,
  clearTimeout,
  TextEncoder,
  TextDecoder,
  URL,
  WebSocket,
};

/** The bundle of the SDK, run where there is nothing but these globals. */
async function clientIn(globals: object): Promise<typeof SluiceClient> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'sluice',
    target: 'es2022',
  });
  const code = `${outputFiles[0]?.text}; sluice.SluiceClient`;
  return runInNewContext(code, { ...globals }) as typeof SluiceClient;
}

it('the bundle works in another realm than that of its WebSocket', async () => {
  const Client = await clientIn(surroundings);
  const gateway = await startGateway();
  const client = new Client(gateway.wsUrl);
  try {
    await client.connect();
    const received = new Promise<number[]>((resolve) => {
      client.subscribe<Uint8Array>('t', { last: 1 }, ({ data }) => resolve([...data]));
    });
    await client.publish('t', 'test', new Uint8Array([1, 2, 3]).subarray(1));
    expect(await received).toEqual([2, 3]);
    await expect(client.publish('t', 'test', new Map())).rejects.toMatchObject({ code: 'unsupported_value' });
  } finally {
    client.close();
    await gateway.close();
  }
});

/** The URL of React Native before 0.85: what is not here throws there. */
class NativeUrl {
  readonly href: string;

  constructor(url: string) {
    this.href = url.endsWith('/') ? url : `${url}/`;
  }

  get protocol(): string {
    throw new Error('URL.protocol is not implemented');
  }
}

class NativeSearchParams {
  readonly #pairs: string[] = [];

  append(name: string, value: string): void {
    this.#pairs.push(`${name}=${encodeURIComponent(value)}`);
  }

  toString(): string {
    return this.#pairs.join('&');
  }
}

it.each(['websocket', 'poll'] as const)(
  'the bundle works by %s with what React Native has',
  async (transport) => {
    const Client = await clientIn({
      ...surroundings,
      URL: NativeUrl,
      URLSearchParams: NativeSearchParams,
      AbortController,
      fetch: withoutStreams,
    });
    const gateway = await startGateway();
    const client = new Client(gateway.wsUrl, { transports: [transport] });
    try {
      await client.connect();
      const { offset } = await client.publish('t', 'test', 1);
      const page = await client.history('t', { after: 0, limit: 10 });
      expect([offset, page.publications.map(({ data }) => data)]).toEqual([1, [1]]);
    } finally {
      client.close();
      await gateway.close();
    }
  },
);

/** It has no bodies that can be read in pieces. */
const withoutStreams: typeof fetch = async (...request) => {
  const response = await fetch(...request);
  return Object.defineProperty(response, 'body', { value: undefined });
};

it('can be imported where there is no TextDecoder', async () => {
  const { TextDecoder: _decoder, TextEncoder: _encoder, ...rest } = surroundings;
  await expect(clientIn(rest)).resolves.toBeTypeOf('function');
});
