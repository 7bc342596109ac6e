import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { internalNamesOnly } from '../../src/client/internal-names.ts';

const root = resolve(import.meta.dirname, '../..');

/** What a page loads at once, as its bundler makes it: minified ES modules, compressed. */
async function gzipBytes(entry: {
  readonly contents: string;
  readonly resolveDir: string;
}): Promise<{ minified: number; gzip: number }> {
  const { outputFiles, metafile } = await build({
    metafile: true,
    splitting: true,
    outdir: 'built',
    stdin: entry,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    // Of the SDK, as its package is built.
    ...(entry.contents.includes('/src/client/') && { mangleProps: internalNamesOnly }),
    legalComments: 'none',
    logLevel: 'error',
    jsx: 'automatic',
    // Of the React entry: what a page that uses it has anyway.
    external: ['react', 'react/jsx-runtime', '../index.ts'],
  });
  const first = Object.entries(metafile?.outputs ?? {}).find(
    ([, { entryPoint }]) => entryPoint === '<stdin>',
  );
  // What is imported only when it is needed is not loaded at once.
  const loaded = new Set([first?.[0] ?? '']);
  for (const path of loaded) {
    for (const { kind, path: imported } of metafile?.outputs[path]?.imports ?? []) {
      if (kind === 'import-statement' && metafile?.outputs[imported]) loaded.add(imported);
    }
  }
  const contents = (outputFiles ?? [])
    .filter(({ path }) => [...loaded].some((each) => path.endsWith(each)))
    .map((file) => file.contents);
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  return {
    minified: sum(contents.map(({ length }) => length)),
    gzip: sum(contents.map((each) => gzipSync(each, { level: 9 }).length)),
  };
}

const entries = {
  'sluice-client': `export * from './src/client/index.ts'`,
  'sluice-client/json': `export * from './src/client/json/index.ts'`,
  'sluice-client/react, besides': `export * from './src/client/react/index.ts'`,
  'socket.io-client': `export { io } from 'socket.io-client'`,
  centrifuge: `export { Centrifuge } from 'centrifuge'`,
  'centrifuge, protobuf': `export { Centrifuge } from 'centrifuge/build/protobuf'`,
  'pusher-js': `export { default } from 'pusher-js'`,
} as const;

/** In bytes, gzip at level 9. */
const budgets = {
  'sluice-client': 21_750,
  'sluice-client/json': 8_000,
  'sluice-client/react, besides': 3_000,
} as const satisfies Partial<Record<keyof typeof entries, number>>;

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
