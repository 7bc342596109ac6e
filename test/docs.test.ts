import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { rows, systemTests } from '../src/compat/rows.ts';
import type { SystemName } from '../src/compat/systems.ts';
import { options } from '../src/config.ts';
import { errorNumbersModule, errorNumbersPath } from '../src/docs/error-numbers.ts';
import { limitsPath, limitsText, valueForm } from '../src/docs/limits.ts';
import { pages, render } from '../src/docs.ts';
import { closeTable, errorTable } from '../src/errors.ts';
import { metricRows } from '../src/metrics.ts';
import { newFolder } from './support/temporary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const readme = read('README.md');
const { files: packed } = JSON.parse(read('package.json')) as { readonly files: readonly string[] };

/** The files that a page links to, relative to the repository. */
function linksOf(path: string): string[] {
  const targets = [...read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
  return targets.filter((target) => !/^[a-z]+:/.test(target)).map((target) => join(dirname(path), target));
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, text]) =>
    text!
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** What the examples take for granted: functions of the application, and what an earlier example has made. */
const exampleGlobals = `
  declare function draw(...values: unknown[]): void;
  declare function show(...values: unknown[]): void;
  declare function reload(topic: string): void;
  declare function fetchToken(): Promise<string>;
  declare function rowsOnScreen(): string[];
  declare function userOf(cookie: string): Promise<string>;
  declare function isMember(user: string, topic: string): boolean;
  declare function isClean(data: unknown): boolean;
  declare const list: HTMLElement;
  interface Rule {
    id: string;
  }
  declare const log: { warn(error: unknown): void };
  declare const bus: import('node:events').EventEmitter;
  declare const client: import('sluice-client').SluiceClient;
  declare const publisher: import('sluice/publisher').Publisher;
  declare const gateway: import('sluice').Gateway;
  declare const createGateway: typeof import('sluice').createGateway;
`;

/** The sources, under the names of the packages. */
const exampleSettings = {
  module: 'esnext',
  moduleResolution: 'bundler',
  noUnusedLocals: false,
  noUnusedParameters: false,
  paths: {
    sluice: [join(root, 'src/index.ts')],
    'sluice/publisher': [join(root, 'src/publisher/index.ts')],
    'sluice/client': [join(root, 'src/client/index.ts')],
    'sluice-client': [join(root, 'src/client/index.ts')],
    'sluice-client/*': [join(root, 'src/client/*/index.ts')],
  },
};

/** The package has this file because of an entry of `files`, or always. */
function isPacked(path: string): boolean {
  if (path === 'README.md' || path === 'package.json') return true;
  return packed.some((entry) => path === entry || path.startsWith(`${entry}/`));
}

describe('the reference pages', () => {
  test.each(pages.map((page) => [page.path, page] as const))(
    '%s is fresh: `npm run docs` writes it',
    (path, page) => {
      expect(read(path)).toBe(render(page));
    },
  );

  test('have the numbers of errors for the client, of which no two are the same', () => {
    expect(read(errorNumbersPath)).toBe(errorNumbersModule());
    expect(new Set(Object.values(errorTable).map(({ number }) => number)).size).toBe(
      Object.keys(errorTable).length,
    );
  });

  test('are linked from the README', () => {
    const linked = linksOf('README.md');
    expect(pages.map(({ path }) => path).filter((path) => !linked.includes(path))).toEqual([]);
  });
});

describe('the rows of the older systems', () => {
  const counts = { a: 10, b: 7, c: 6, d: 8, e: 7 };

  test('are all there, in order', () => {
    const all = Object.entries(counts).flatMap(([system, count]) =>
      Array.from({ length: count }, (_, i) => `${system}${i + 1}`),
    );
    expect(rows.map(({ row }) => row)).toEqual(all);
  });

  test('name tests elsewhere that exist', () => {
    const missing = rows.flatMap(({ elsewhere }) =>
      elsewhere.filter(([file, title]) => !read(`test/${file}`).includes(`'${title}'`)),
    );
    expect(missing).toEqual([]);
  });

  test('have tests in the file of their system, but for those that are tested elsewhere alone', () => {
    const without = rows.filter(({ row }) => {
      const own = read(`test/systems/${systemTests[row[0] as SystemName]}`);
      return !new RegExp(`'${row.toUpperCase()}[:']`).test(own);
    });
    expect(without.map(({ row }) => row)).toEqual(['d4', 'd5', 'd8']);
    expect(without.every(({ elsewhere }) => elsewhere.length > 0)).toBe(true);
  });
});

describe('the page of limits', () => {
  const rows = [...read(limitsPath).matchAll(/^\| (?!limit of|cap|---)(.+) \|$/gm)].map(([, cells]) =>
    cells!.split(' | '),
  );
  const names = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

  /** Options with a number that limit nothing that a client can take. */
  const noLimits = [
    ...[
      'port',
      'proxyPort',
      'adminPort',
      'compatPort',
      'workers',
      'tokenClockToleranceSeconds',
      'drainSeconds',
    ],
    ...[
      'shutdownGraceSeconds',
      'readyLoopDelayMaxMs',
      'redisMinReplicas',
      'redisTimeoutMs',
      'redisNodeTimeoutMs',
    ],
    ...['sourceHostIntervalMs', 'batchMaxDelayMs', 'compressMinBytes', 'dictionaryMinBytes'],
  ];

  test('has the caps of today, and the values of today: `npm run docs` writes both', () => {
    expect(read(limitsPath)).toBe(limitsText(read(limitsPath)));
  });

  test('has no value that is not of an option or a constant, but for one of the library', () => {
    const byHand = rows.map(([, at]) => at!.replace(valueForm, '').replace(/^`\w+`: \S+/, ''));
    expect(byHand.filter((at) => /\d/.test(at))).toEqual([', 98 headers']);
  });

  test('has all options with a number that limit something, each once', () => {
    const numbers = options.filter(
      ({ kind, name }) => ['N', 'SIZE'].includes(kind.placeholder!) && !noLimits.includes(name),
    );
    const told = rows.map(([, at]) => at!).filter((at) => /^`\w+`: /.test(at));
    expect(told.toSorted()).toEqual(
      numbers.map(({ name, defaultText }) => `\`${name}\`: ${defaultText}`).toSorted(),
    );
  });

  test('names codes, metrics and labels that exist', () => {
    const labelsOf = new Map(metricRows.map(({ name, labels }) => [name, labels]));
    const wrong = rows.flatMap((cells) => [
      ...names(cells.at(-2)!).filter(
        (code) => /^[a-z_]+$/.test(code) && !(code in errorTable) && !(code in closeTable),
      ),
      ...names(cells.at(-1)!).filter((series) => {
        const [, name = '', label] = /^(\w+)(?:\{(\w+)="\w+"\})?$/.exec(series) ?? [];
        const labels = labelsOf.get(`sluice_${name}`);
        return labels === undefined || (label !== undefined && !labels.includes(label));
      }),
    ]);
    expect(wrong).toEqual([]);
  });
});

describe('links', () => {
  const documents = packed.filter((path) => path.endsWith('.md'));

  test.each(documents)('of %s lead to files that exist', (path) => {
    expect(linksOf(path).filter((target) => !existsSync(join(root, target)))).toEqual([]);
  });

  test('of the README lead to files that the npm package has', () => {
    expect(linksOf('README.md').filter((target) => !isPacked(target))).toEqual([]);
  });

  test.each(documents)('of %s to sections lead to headings', (path) => {
    const wanted = [...read(path).matchAll(/\]\(([^)#\s]*)#([^)\s]+)\)/g)]
      .filter(([, target]) => !/^[a-z]+:/.test(target!))
      .map(([, target, anchor]) => [target === '' ? path : join(dirname(path), target!), anchor!] as const);
    expect(wanted.filter(([target, anchor]) => !anchorsOf(target).includes(anchor))).toEqual([]);
  });
});

test.each([
  // In JavaScript parameters have no types, and what may be absent is not checked.
  ['JavaScript', /^```(jsx?)\n(.*?)^```/gms, { strict: false, allowJs: true, checkJs: true }],
  ['TypeScript', /^```(tsx?)\n(.*?)^```/gms, {}],
] as const)('the examples in %s are correct by the types of the packages', (_, blocks, settings) => {
  const folder = newFolder();
  const compilerOptions = { ...exampleSettings, ...settings };
  const files = { extends: join(root, 'tsconfig.json'), include: ['.'], compilerOptions };
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'globals.d.ts'), exampleGlobals);
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(files));
  for (const page of ['README.md', ...packed.filter((path) => path.endsWith('.md'))])
    for (const [index, [, language, code]] of [...read(page).matchAll(blocks)].entries())
      writeFileSync(join(folder, `${page.replaceAll('/', '-')}-${index}.${language}`), `${code}\nexport {};`);
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', '.'], {
    cwd: folder,
    encoding: 'utf8',
  });
  // The sources may have errors with these settings.
  expect(stdout.split('\n').filter((line) => line.includes('.md-'))).toEqual([]);
});

test('the README has at most 300 lines of at most 120 characters', () => {
  const lines = readme.split('\n');
  expect(lines.length).toBeLessThanOrEqual(301);
  const tooLong = lines.filter((line) => line.length > 120 && !line.startsWith('|'));
  expect(tooLong).toEqual([]);
});

test('the README names only files, flags and scripts that exist', () => {
  const paths = [...readme.matchAll(/`((?:src|test|bench|proto|grafana|\.ci)\/[\w./-]*)`/g)].map(
    ([, path]) => path!,
  );
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> };
  const run = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script!);
  expect(run.filter((script) => scripts[script] === undefined)).toEqual([]);
  const flags = [...readme.matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag!);
  const known = read('src/config/OPTIONS.md');
  expect(flags.filter((flag) => !known.includes(`\`${flag}\``))).toEqual([]);
});
