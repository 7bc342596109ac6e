import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** What a page loads, as its bundler makes it: one minified ES module, compressed. */
async function gzipBytes(entry: BuildOptions['stdin']): Promise<{ minified: number; gzip: number }> {
  const { outputFiles } = await build({
    stdin: entry,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    legalComments: 'none',
    logLevel: 'error',
    jsx: 'automatic',
    // Of the React entry: what a page that uses it has anyway.
    external: ['react', 'react/jsx-runtime', '../index.ts'],
  });
  const contents = outputFiles?.[0]?.contents ?? new Uint8Array();
  return { minified: contents.length, gzip: gzipSync(contents, { level: 9 }).length };
}

const entries = {
  'sluice-client': `export * from './src/client/index.ts'`,
  'sluice-client/react, besides': `export * from './src/client/react/index.ts'`,
  'socket.io-client': `export { io } from 'socket.io-client'`,
  centrifuge: `export { Centrifuge } from 'centrifuge'`,
  'centrifuge, protobuf': `export { Centrifuge } from 'centrifuge/build/protobuf'`,
  'pusher-js': `export { default } from 'pusher-js'`,
} as const;

/** In bytes, gzip at level 9. */
const budgets = { 'sluice-client': 22_200, 'sluice-client/react, besides': 3_000 } as const satisfies Partial<
  Record<keyof typeof entries, number>
>;

describe('the size of the client', () => {
  const sizes = new Map<string, { minified: number; gzip: number }>();

  beforeAll(async () => {
    for (const [name, contents] of Object.entries(entries)) {
      sizes.set(name, await gzipBytes({ contents, resolveDir: root }));
    }
    const rows = [...sizes].map(([name, { minified, gzip }]) => [
      name.padEnd(30),
      `${(minified / 1000).toFixed(1)} kB`.padStart(10),
      `${(gzip / 1000).toFixed(1)} kB gzip`.padStart(14),
    ]);
    console.log(rows.map((row) => row.join('')).join('\n'));
  }, 60_000);

  it.each(Object.entries(budgets))('of %s is at most %i bytes', (name, budget) => {
    const { gzip = Number.NaN } = sizes.get(name) ?? {};
    expect(gzip).toBeLessThanOrEqual(budget);
  });
});
