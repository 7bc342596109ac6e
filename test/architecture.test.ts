import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findCycle, readSources, requestsOf } from './support/imports.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const leaves = [
  ...['awaitable', 'clock', 'digest', 'errors', 'config', 'group-by', 'joined-bytes', 'log', 'metrics'],
  ...['other-nodes', 'protocol', 'regular-file', 'schema-words', 'unix-sockets', 'url', 'version'],
];

/**
 * What each stage may import. A stage is a folder of src, or a file and the folder of the same name. The composition
 * roots may import every stage, and are imported by none but each other.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  awaitable: [],
  clock: [],
  digest: [],
  errors: [],
  'group-by': [],
  config: ['digest', 'errors', 'regular-file', 'schema-words', 'url'],
  'joined-bytes': [],
  log: ['config', 'errors'],
  metrics: ['errors'],
  'other-nodes': [],
  'regular-file': [],
  'schema-words': [],
  'unix-sockets': [],
  url: [],
  version: [],
  protocol: ['errors'],
  topics: leaves,
  engines: ['topics', ...leaves],
  fanout: ['topics', ...leaves],
  auth: ['topics', ...leaves],
  'catch-up': ['topics', 'fanout', ...leaves],
  hooks: ['topics', 'sessions', 'auth', ...leaves],
  sessions: ['topics', 'fanout', 'catch-up', 'auth', ...leaves],
  api: ['topics', 'sessions', 'auth', ...leaves],
  compat: ['topics', 'sessions', 'api', 'auth', ...leaves],
  workers: ['topics', 'sessions', ...leaves],
  transport: ['sessions', 'api', 'fanout', ...leaves],
  sources: leaves,
  client: ['protocol', 'errors'],
  publisher: ['protocol', 'errors', 'url'],
  web: ['client', 'protocol', 'errors'],
};
const compositionRoots = ['server', 'cli', 'docs', 'gateway', 'index', 'client-package', 'client-types'];

/**
 * What each folder of bench and test may import besides itself and src. Files directly in bench or test may import
 * every folder beside them, and are imported by none.
 */
const mayImportBesideSrc: Readonly<Record<string, readonly string[]>> = {
  'bench/support': ['test/support'],
  'bench/dialects': ['bench/support', 'test/support'],
  'bench/peers': ['bench/support', 'test/support'],
  'bench/load': ['bench/dialects', 'bench/peers', 'bench/support', 'test/support'],
  'bench/trials': ['bench/dialects', 'bench/load', 'bench/peers', 'bench/support'],
  'bench/faults': ['bench/support', 'test/support'],
  'bench/siege': ['bench/support'],
  'bench/soak': ['bench/support'],
  'bench/state': ['bench/support', 'test/support'],
  'bench/fuzz': ['bench/support', 'test/support'],
  'test/support': [],
  'test/topics': ['test/support'],
  'test/protocol': ['test/support'],
  'test/auth': ['test/support'],
  'test/sources': ['test/support'],
  'test/transport': ['test/support', 'test/topics', 'test/fanout', 'test/sessions'],
  'test/cli': ['test/support'],
  'test/config': ['test/support'],
  'test/publisher': ['test/support'],
  'test/web': ['test/support'],
  'test/packaging': ['test/support'],
  'test/client': ['test/support'],
  'test/engines': ['test/support', 'test/topics'],
  'test/fanout': ['test/support', 'test/topics'],
  'test/catch-up': ['test/fanout', 'test/topics', 'test/support'],
  'test/workers': ['test/engines', 'test/topics', 'test/support'],
  'test/server': ['test/support'],
  'test/sessions': ['test/support', 'test/topics', 'test/fanout'],
  'test/api': ['test/support', 'test/sessions'],
  'test/model': ['test/engines', 'test/fanout', 'test/sessions', 'test/support', 'test/topics'],
  'test/e2e': ['test/support', 'test/engines'],
  'test/security': ['test/support'],
  'test/hooks': ['test/support'],
  'test/systems': ['test/support'],
  'test/compat': ['test/support', 'test/systems'],
  'test/bench': ['bench', 'test/support'],
};
/** Scenarios of bench that run on what the tests of a stage brought. */
const benchRoot = ['bench', 'test/engines'];

/** Packages that one place, a stage or a folder in it, hides from all others. */
const quarantined: Readonly<Record<string, readonly string[]>> = {
  'uWebSockets.js': ['transport/uws'],
  fflate: ['protocol', 'fanout'],
  protobufjs: ['protocol'],
  lmdb: ['engines'],
  ioredis: ['engines/redis'],
  'prom-client': ['metrics'],
  pino: ['log', 'cli'],
  'pino-pretty': ['log'],
  systeminformation: ['sources'],
  commander: ['cli'],
  yaml: ['config', 'cli'],
};

/** They run in browsers, with all that they import. */
const browserStages = ['client', 'web'];
const nodeGlobals = ['Buffer', 'process', 'require', 'setImmediate', '__dirname', '__filename'];

function stageOf(path: string): string {
  return path.split('/')[0]!.replace(/\.ts$/, '');
}

/** `place`: a folder of src, or a file without its ending and the folder of the same name. */
function isIn(path: string, place: string): boolean {
  return path === `${place}.ts` || path.startsWith(`${place}/`);
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

/** `bench/load` of `bench/load/receiver.ts`, and `bench` of `bench/fanout.ts`. */
function folderOf(path: string): string {
  const parts = path.split('/');
  return parts.slice(0, Math.min(2, parts.length - 1)).join('/');
}

function allowedBesideSrc(path: string, file: string): boolean {
  const [from, to] = [folderOf(path), folderOf(file)];
  if (from === to || file.startsWith('src/')) return true;
  if (from === 'test') return to.startsWith('test/');
  const allowed = from === 'bench' ? benchRoot : (mayImportBesideSrc[from] ?? []);
  return allowed.some((each) => to === each || to.startsWith(`${each}/`));
}

const everything = ['src', 'bench', 'test'].flatMap((folder) =>
  readSources(join(root, folder)).map((source) => ({
    ...source,
    path: `${folder}/${source.path}`,
    files: source.files.map((file) => normalize(join(folder, file))),
  })),
);
const sources = readSources(join(root, 'src')).map((source) => ({ ...source, stage: stageOf(source.path) }));

describe('the architecture', () => {
  test('every file belongs to a stage that the design knows', () => {
    const known = [...Object.keys(mayImport), ...compositionRoots];
    expect(sources.filter(({ stage }) => !known.includes(stage)).map(({ path }) => path)).toEqual([]);
  });

  test('imports point one way', () => {
    const wrong = sources.flatMap(({ path, stage, files }) =>
      files
        .map(stageOf)
        .filter((target) => target !== stage && mayImport[stage] && !mayImport[stage].includes(target))
        .map((target) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no files import each other in a circle, types included', () => {
    expect(findCycle(everything)).toEqual([]);
  });

  test('src knows nothing of bench and test', () => {
    const wrong = everything.flatMap(({ path, files }) =>
      files
        .filter((file) => path.startsWith('src/') && !file.startsWith('src/') && file !== 'package.json')
        .map((file) => `${path} imports ${file}`),
    );
    expect(wrong).toEqual([]);
  });

  test('every folder of bench and test imports only what it may', () => {
    const wrong = everything
      .filter(({ path }) => !path.startsWith('src/'))
      .flatMap(({ path, files }) =>
        files.filter((file) => !allowedBesideSrc(path, file)).map((file) => `${path} imports ${file}`),
      );
    expect(wrong).toEqual([]);
  });

  test('no file imports a test', () => {
    const imported = everything.flatMap(({ files }) => files);
    expect(imported.filter((file) => file.endsWith('.test.ts'))).toEqual([]);
  });

  test('a quarantined package is imported only where it lives', () => {
    const wrong = sources.flatMap(({ path, packages }) =>
      packages
        .filter((each) => quarantined[packageOf(each)]?.some((place) => isIn(path, place)) === false)
        .map((each) => `${path} imports ${each}`),
    );
    expect(wrong).toEqual([]);
  });

  test('what runs in browsers knows nothing of Node', () => {
    const reached = new Set<string>();
    const reach = (path: string) => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const next of sources.find((source) => source.path === path)?.files ?? []) reach(next);
    };
    for (const { path, stage } of sources) if (browserStages.includes(stage)) reach(path);
    expect([...reached]).toContain('protocol/frames.ts');
    const wrong = sources
      .filter(({ path }) => reached.has(path))
      .flatMap(({ path, packages, identifiers }) => [
        ...packages.filter((each) => isBuiltin(each)).map((each) => `${path} imports ${each}`),
        ...nodeGlobals.filter((name) => identifiers.has(name)).map((name) => `${path} uses ${name}`),
      ]);
    expect(wrong).toEqual([]);
  });

  test('no folder is a drawer for everything', () => {
    const drawers = ['utils', 'util', 'common', 'types', 'managers', 'helpers', 'lib', 'shared', 'misc'];
    const folders = sources.flatMap(({ path }) => path.split('/').slice(0, -1));
    expect(folders.filter((folder) => drawers.includes(folder))).toEqual([]);
  });

  test('the top level holds what the design says', () => {
    const wanted = [
      'package.json',
      'tsconfig.json',
      'src',
      'proto',
      'bench',
      'test',
      'grafana',
      'Dockerfile',
      'README.md',
    ];
    const beside = [
      'package-lock.json',
      'tsconfig.build.json',
      'vitest.config.ts',
      'biome.json',
      'knip.json',
      'LICENSE',
      'CHANGELOG.md',
    ];
    const ignored = ['node_modules', 'dist', 'coverage', 'data'];
    const entries = readdirSync(root).filter((name) => !name.startsWith('.') && !name.endsWith('.log'));
    expect(entries).toEqual(expect.arrayContaining(wanted));
    expect(entries.filter((name) => ![...wanted, ...beside, ...ignored].includes(name))).toEqual([]);
  });
});

describe('comments and names', () => {
  const paths = ['src', 'test', 'bench', 'proto'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
      .filter(
        (path) =>
          /\.(ts|lua|proto)$/.test(path) && !path.includes('.gen.') && !/\b(dist|node_modules)\//.test(path),
      ),
  );
  const lines = paths.flatMap((path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .map((text, index) => ({ text, at: `${path}:${index + 1}: ${text.trim()}` })),
  );

  test('have at most 120 columns in comments', () => {
    const comments = lines.filter(({ text }) => /^\s*(\/\/|\*|\/\*|-- )/.test(text));
    expect(comments.filter(({ text }) => text.length > 120).map(({ at }) => at)).toEqual([]);
  });

  test('keep to plain English', () => {
    const words = [
      '[Ww]hoever',
      '[Ss]omebody',
      '[Nn]obody',
      '[Ll]ets? go of',
      'in the place of',
      'of those who',
    ];
    const banned = new RegExp(`\\b(${words.join('|')})\\b`);
    const others = lines.filter(({ at }) => !at.startsWith('test/architecture.test.ts'));
    expect(others.filter(({ text }) => banned.test(text)).map(({ at }) => at)).toEqual([]);
  });

  test('call a limit pageMaxBytes or pagesMax, and maxBytes only where it is that of the thing at hand', () => {
    const measures =
      'Bytes|Length|Publications|AgeMs|DelayMs|Attempts|Entries|Depth|Members|Keys|Replicas|Ms|Uint32|Integer';
    const declared = /\b(?:const|let|readonly) ((?:max|min)[A-Z]\w*|\w+(?:Bytes|Length)(?:Max|Min)\b)/;
    const good = new RegExp(`^(?:max|min)(?:${measures})$`);
    // The options of an older system's SDK.
    const taken = ['maxReconnectAttempts'];
    const wrong = lines.filter(({ text }) => {
      const name = declared.exec(text)?.[1];
      return name !== undefined && !good.test(name) && !taken.includes(name);
    });
    expect(wrong.map(({ at }) => at)).toEqual([]);
  });
});

describe('the reader of imports', () => {
  test('sees every kind of import', () => {
    const source = `
      import a from './a.ts';
      import type { B } from './b.ts';
      export { c } from './c.ts';
      export * from './d.ts';
      const e = await import('./e.ts');
      let f: import('./f.ts').F;
      export type { G } from './g.ts';
    `;
    const found = [...requestsOf('x.ts', source).specifiers].sort();
    expect(found).toEqual(['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts', './g.ts']);
  });

  test('finds a circle', () => {
    const file = (path: string, ...files: string[]) => ({ path, files });
    const circle = [file('a.ts', 'b.ts'), file('b.ts', 'c.ts'), file('c.ts', 'b.ts')];
    expect(findCycle(circle)).toEqual(['b.ts', 'c.ts', 'b.ts']);
  });
});
