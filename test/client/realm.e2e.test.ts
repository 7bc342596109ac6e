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

it('the bundle works in another realm than that of its WebSocket', async () => {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'sluice',
    target: 'es2022',
  });
  const code = `${outputFiles[0]?.text}; sluice`;
  const { SluiceClient: Client } = runInNewContext(code, { ...surroundings }) as {
    SluiceClient: typeof SluiceClient;
  };
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
