import { basename, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { internalNamesOnly } from '../../src/client/internal-names.ts';

const root = resolve(import.meta.dirname, '../..');

interface Size {
  readonly minified: number;
  readonly gzip: number;
}

interface Measured extends Size {
  /** What is loaded only when it is needed, by its name. */
  readonly later: ReadonlyMap<string, Size>;
  /** Minified bytes of what is loaded at once, by source file. */
  readonly sources: ReadonlyMap<string, number>;
}

/** What a page loads, as its bundler makes it: minified ES modules, compressed. */
async function measure(contents: string): Promise<Measured> {
  const { outputFiles = [], metafile } = await build({
    metafile: true,
    splitting: true,
    outdir: 'built',
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    // Of the SDK, as its package is built.
    ...(contents.includes('/src/client/') && { mangleProps: internalNamesOnly }),
    legalComments: 'none',
    logLevel: 'error',
    jsx: 'automatic',
    // Of the React entry: what a page that uses it has anyway.
    external: ['react', 'react/jsx-runtime', '../index.ts'],
  });
  const outputs = metafile?.outputs ?? {};
  const first = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === '<stdin>');
  // What is imported only when it is needed is not loaded at once.
  const loaded = new Set([first ?? '']);
  for (const path of loaded) {
    for (const { kind, path: imported } of outputs[path]?.imports ?? []) {
      if (kind === 'import-statement' && outputs[imported]) loaded.add(imported);
    }
  }
  let [minified, gzip] = [0, 0];
  const later = new Map<string, Size>();
  const sources = new Map<string, number>();
  for (const [path, { inputs }] of Object.entries(outputs)) {
    const file = outputFiles.find((each) => each.path.endsWith(path))?.contents ?? new Uint8Array();
    const size = { minified: file.length, gzip: gzipSync(file, { level: 9 }).length };
    if (loaded.has(path)) {
      minified += size.minified;
      gzip += size.gzip;
      for (const [source, { bytesInOutput }] of Object.entries(inputs)) sources.set(source, bytesInOutput);
    } else later.set(basename(path).replace(/-\w+\.js$/, ''), size);
  }
  return { minified, gzip, later, sources };
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

/** In bytes, gzip at level 9. The first one has protobuf, dictionaries, reconnects and the queue in it. */
const budgets = {
  'sluice-client': 16_000,
  'sluice-client/json': 8_000,
  'sluice-client/react, besides': 3_000,
} as const satisfies Partial<Record<keyof typeof entries, number>>;

/** What is loaded when it is first needed, by the name of its file. */
const laterCode: Readonly<Record<string, string>> = {
  extras: 'state topics, patterns, filters, keys, inboxes, losses',
  open: 'Server-Sent Events and polls',
  inquiry: 'why no WebSocket opened',
  chunk: 'errors over HTTP, for the two above',
  'token-refresh': 'fresh tokens',
};

/** What the SDK consists of: the first pattern that a source file matches. */
const parts: readonly (readonly [string, RegExp])[] = [
  ['subscriptions', /subscriptions\/|equal-subscriptions|inflow/],
  ['protobuf', /wire\/|protocol\/utf8/],
  ['dictionaries, compression', /protocol\/(inflate|crc32)/],
  ['connection, fallback', /connection\/|http\/transports/],
  ['arguments, payloads', /check|requests|payload|faithful|binary|user-topics|publication\.ts|limits|fields/],
  ['queue, commands', /offline-queue|pending-commands|own-publications/],
  ['client, events, errors', /./],
];

function partsOf({ sources, minified, gzip }: Measured): readonly (readonly [string, Size])[] {
  const bytes = new Map(parts.map(([name]) => [name, 0]));
  for (const [source, own] of sources) {
    const [name = ''] = parts.find(([, files]) => files.test(source)) ?? [];
    bytes.set(name, (bytes.get(name) ?? 0) + own);
  }
  // A file compresses with the others, so its share is that of its minified bytes.
  return [...bytes].map(([name, own]) => [name, { minified: own, gzip: (own / minified) * gzip }]);
}

function row(name: string, { minified, gzip }: Size): string {
  const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
  return `${name.padEnd(60)}${kB(minified).padStart(9)}${kB(gzip).padStart(9)} gzip`;
}

describe('the size of the client', () => {
  const sizes = new Map<string, Measured>();

  beforeAll(async () => {
    for (const [name, contents] of Object.entries(entries)) sizes.set(name, await measure(contents));
    const sdk = sizes.get('sluice-client') as Measured;
    const rows = [
      ...[...sizes].map(([name, size]) => row(name, size)),
      'sluice-client consists of',
      ...partsOf(sdk).map(([name, size]) => row(`  ${name}`, size)),
      'and loads when it needs it',
      ...[...sdk.later].map(([name, size]) => row(`  ${laterCode[name]}`, size)),
    ];
    console.log(rows.join('\n'));
  });

  it('is known of each part that is loaded when needed', () => {
    expect([...(sizes.get('sluice-client')?.later.keys() ?? [])].sort()).toEqual(
      Object.keys(laterCode).sort(),
    );
  });

  it.each(Object.entries(budgets))('of %s is at most %i bytes', (name, budget) => {
    const { gzip = Number.NaN } = sizes.get(name) ?? {};
    expect(gzip).toBeLessThanOrEqual(budget);
  });
});
