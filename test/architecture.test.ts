import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const leaves = ['awaitable', 'clock', 'errors', 'config', 'log', 'metrics', 'protocol', 'version'];

/**
 * What each stage may import. A stage is a folder of src, or a file and the folder of the same name. The composition
 * roots may import every stage, and are imported by none but each other.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  awaitable: [],
  clock: [],
  errors: [],
  config: ['errors'],
  log: ['config', 'errors'],
  metrics: ['errors'],
  version: [],
  protocol: ['errors'],
  topics: leaves,
  engines: ['topics', ...leaves],
  fanout: ['topics', ...leaves],
  auth: ['topics', ...leaves],
  sessions: ['topics', 'fanout', 'auth', ...leaves],
  api: ['topics', 'sessions', 'auth', ...leaves],
  transport: ['sessions', 'api', 'fanout', ...leaves],
  sources: leaves,
  client: ['protocol', 'errors'],
  web: ['client', 'protocol', 'errors'],
};
const compositionRoots = ['server', 'meters', 'cli', 'docs', 'index'];

/** Packages that one place hides from all others. */
const quarantined: Readonly<Record<string, readonly string[]>> = {
  'uWebSockets.js': ['transport'],
  fflate: ['protocol', 'fanout'],
  protobufjs: ['protocol'],
  lmdb: ['engines'],
  'prom-client': ['metrics'],
  pino: ['log', 'cli'],
  'pino-pretty': ['log'],
  systeminformation: ['sources'],
  commander: ['cli'],
  yaml: ['config', 'cli'],
};

/** They run in browsers too. */
const browserStages = ['protocol', 'client', 'web'];
const nodeGlobals = ['Buffer', 'process', 'require', 'setImmediate', '__dirname', '__filename'];

interface SourceFile {
  /** Relative to src, with slashes. */
  readonly path: string;
  readonly stage: string;
  /** Files of src, relative to it. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
  readonly identifiers: ReadonlySet<string>;
}

function stageOf(path: string): string {
  return path.split('/')[0]!.replace(/\.ts$/, '');
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

interface Requests {
  readonly specifiers: Set<string>;
  readonly identifiers: Set<string>;
}

/** Static, type-only, re-exporting and dynamic imports, and `import('…')` in types. */
function requestsOf(path: string, source: string): Requests {
  const specifiers = new Set<string>();
  const identifiers = new Set<string>();
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`);
  const request = (node: { value?: unknown } | null | undefined) => {
    if (typeof node?.value === 'string') specifiers.add(node.value);
  };
  new Visitor({
    ImportDeclaration: (node) => request(node.source),
    ExportNamedDeclaration: (node) => request(node.source),
    ExportAllDeclaration: (node) => request(node.source),
    ImportExpression: (node) => request(node.source as { value?: unknown }),
    TSImportType: (node) => request(node.source),
    Identifier: (node) => {
      identifiers.add(node.name);
    },
  }).visit(program);
  return { specifiers, identifiers };
}

function readSources(): SourceFile[] {
  const src = join(root, 'src');
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => {
      const { specifiers, identifiers } = requestsOf(path, readFileSync(join(src, path), 'utf8'));
      const all = [...specifiers];
      return {
        path,
        stage: stageOf(path),
        files: all.filter((each) => each.startsWith('.')).map((each) => normalize(join(dirname(path), each))),
        packages: all.filter((each) => !each.startsWith('.')),
        identifiers,
      };
    });
}

/** The first cycle found among the files, as its path; empty: none. */
function findCycle(sources: readonly SourceFile[]): string[] {
  const imports = new Map(sources.map((source) => [source.path, source.files]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of imports.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const { path } of sources) {
    const cycle = visit(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

const sources = readSources();

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
    expect(findCycle(sources)).toEqual([]);
  });

  test('a quarantined package is imported only where it lives', () => {
    const wrong = sources.flatMap(({ path, stage, packages }) =>
      packages
        .filter((each) => quarantined[packageOf(each)]?.includes(stage) === false)
        .map((each) => `${path} imports ${each}`),
    );
    expect(wrong).toEqual([]);
  });

  test('what runs in browsers knows nothing of Node', () => {
    const inBrowser = sources.filter(({ stage }) => browserStages.includes(stage));
    const wrong = inBrowser.flatMap(({ path, packages, identifiers }) => [
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
    const file = (path: string, ...files: string[]): SourceFile => ({
      path,
      stage: stageOf(path),
      files,
      packages: [],
      identifiers: new Set(),
    });
    expect(findCycle([file('a.ts', 'b.ts'), file('b.ts', 'c.ts'), file('c.ts', 'b.ts')])).toEqual([
      'b.ts',
      'c.ts',
      'b.ts',
    ]);
  });
});
