import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientVersion } from '../../src/client/version.ts';
import { newFolder } from '../support/temporary.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

interface Manifest {
  readonly version: string;
  readonly sideEffects: boolean;
  readonly dependencies?: unknown;
  readonly peerDependencies?: unknown;
  readonly peerDependenciesMeta?: unknown;
  readonly optionalDependencies?: unknown;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** What `npm run build` made, packed: the tests of the suite run after it. */
describe('the package sluice-client', () => {
  let folder: string;
  let tarball: string;
  let unpacked: string;

  beforeAll(async () => {
    folder = newFolder();
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const { stdout } = await run('npm', args, { cwd: join(root, 'src/client') });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    tarball = join(folder, filename);
    await run('tar', ['--extract', '--file', tarball, '--directory', folder]);
    unpacked = join(folder, 'package');
  });

  const files = (): readonly string[] =>
    readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).filter((path) =>
      statSync(join(unpacked, path)).isFile(),
    );

  it('needs nothing else, has no side effects and takes less than 1 MB', () => {
    const { sideEffects, dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
      manifestOf(unpacked);
    expect([sideEffects, dependencies, optionalDependencies]).toEqual([false, undefined, undefined]);
    // For `sluice-client/react` alone.
    expect([peerDependencies, peerDependenciesMeta]).toEqual([
      { react: '>=18' },
      { react: { optional: true } },
    ]);
    const bytes = files().reduce((sum, path) => sum + statSync(join(unpacked, path)).size, 0);
    expect(bytes).toBeLessThan(1_000_000);
    expect(bytes).toBeGreaterThan(50_000);
  });

  it('has the version of the gateway, which the client tells it', () => {
    expect(manifestOf(unpacked).version).toBe(manifestOf(root).version);
    expect(clientVersion).toBe(manifestOf(root).version);
  });

  it('brings code that imports only what is beside it, without protobufjs, and whole source maps', () => {
    const scripts = files().filter((path) => path.endsWith('.js') && !path.startsWith('dist/cjs/'));
    expect(scripts).toContain('dist/index.js');
    let sources = 0;
    for (const path of scripts) {
      const code = readFileSync(join(unpacked, path), 'utf8');
      expect(code).not.toMatch(/\brequire\(|\bprotobufjs\b|util\.Long/);
      const imported = [...code.matchAll(/\b(?:from|import)\s*\(?\s*(["'])(.+?)\1/g)].map(
        ([, , name]) => name,
      );
      const foreign = imported.filter((name) => !name?.startsWith('./') && !name?.startsWith('../'));
      const react = path === 'dist/react/index.js' ? ['react', 'react/jsx-runtime'] : [];
      expect(new Set(foreign)).toEqual(new Set(react));
      const map = JSON.parse(readFileSync(join(unpacked, `${path}.map`), 'utf8')) as {
        readonly sources: readonly string[];
        readonly sourcesContent: readonly (string | null)[];
      };
      sources += map.sources.length;
      expect(map.sourcesContent.length).toBe(map.sources.length);
      expect(map.sourcesContent.every((content) => typeof content === 'string' && content !== '')).toBe(true);
      expect(map.sources.filter((source) => source.includes('protobufjs'))).toEqual([]);
    }
    expect(sources).toBeGreaterThan(60);
  });

  it('has source maps that lead from a trace to the line', async () => {
    const script = `
      const { SluiceClient } = await import(${JSON.stringify(join(unpacked, 'dist/index.js'))});
      try {
        new SluiceClient('nowhere');
      } catch ({ stack }) {
        console.log(stack);
      }
    `;
    const args = ['--enable-source-maps', '--input-type=module', '--eval', script];
    const { stdout } = await run(process.execPath, args);
    const [, line] = /at absoluteUrl \(.*\/options\.ts:(\d+):/.exec(stdout) ?? [];
    const lines = readFileSync(join(root, 'src/client/options.ts'), 'utf8').split('\n');
    expect(lines[Number(line) - 1]).toContain("localError('invalid_url'");
  });

  it('is what `sluice/client` is, in the built files of the gateway', () => {
    for (const path of files().filter((each) => each.startsWith('dist/'))) {
      const own = readFileSync(join(root, 'dist/client', path.slice('dist/'.length)));
      // `toEqual` compares megabytes byte by byte, for seconds.
      expect(own.equals(readFileSync(join(unpacked, path))), path).toBe(true);
    }
  });

  it('leaves the globals as they are', async () => {
    const script = `
      const before = Object.getOwnPropertyNames(globalThis).join();
      await import(${JSON.stringify(join(unpacked, 'dist/index.js'))});
      console.log(Object.getOwnPropertyNames(globalThis).join() === before);
    `;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script]);
    expect(stdout.trim()).toBe('true');
  });

  it('is clean to publint', async () => {
    const { stdout } = await run(bin('publint'), [unpacked, '--strict']);
    expect(stdout).toContain('All good!');
  });

  it('has types that resolve everywhere', async () => {
    const { stdout } = await run(bin('attw'), [tarball, '--format', 'json']);
    const { analysis } = JSON.parse(stdout) as { analysis: { problems: readonly unknown[]; types: unknown } };
    expect(analysis.types).toMatchObject({ kind: 'included' });
    expect(analysis.problems).toEqual([]);
  });

  describe('in an application', () => {
    let application: string;

    beforeAll(() => {
      application = join(folder, 'application');
      const modules = join(application, 'node_modules');
      mkdirSync(join(modules, '@types'), { recursive: true });
      cpSync(unpacked, join(modules, 'sluice-client'), { recursive: true });
      for (const name of ['react', '@types/react', 'csstype'])
        symlinkSync(join(root, 'node_modules', name), join(modules, name));
    });

    it('is required with all its entries, which share one client', async () => {
      writeFileSync(
        join(application, 'required.cjs'),
        `const { ClientError, SluiceClient } = require('sluice-client');
        const { JsonClient } = require('sluice-client/json');
        const { PageClient } = require('sluice-client/page');
        const { SluiceProvider } = require('sluice-client/react');
        const errors = [JsonClient, PageClient, SluiceClient].map((Client) => {
          try {
            new Client('nowhere');
          } catch (error) {
            return error instanceof ClientError && error.code;
          }
        });
        class NoSocket {
          close() {}
        }
        const client = new SluiceClient('ws://127.0.0.1:1', { WebSocket: NoSocket, connectTimeoutMs: 1, reconnect: false });
        client.subscribe('state:*', { filter: { op: 'eq', tag: 'a', value: 'b' } });
        client.connect().catch((error) => console.log(JSON.stringify([errors, error.code, typeof SluiceProvider])));`,
      );
      const { stdout } = await run(process.execPath, ['required.cjs'], { cwd: application });
      const invalid = 'invalid_url';
      expect(JSON.parse(stdout)).toEqual([[invalid, invalid, invalid], 'timeout', 'function']);
    });

    it.each([
      ['modules and CommonJS', ['module.mts', 'common.cts'], ['--module', 'node16']],
      [
        'a bundler, as strictly as can be',
        ['bundled.ts'],
        ['--module', 'esnext', '--moduleResolution', 'bundler', '--exactOptionalPropertyTypes'],
      ],
    ])('has types without faults, for %s', async (_of, files, options) => {
      const code = `import { type ClientOptions, type PublishOptions, SluiceClient, type SubscribeOptions, typed } from 'sluice-client';
        import { JsonClient, type JsonClientOptions } from 'sluice-client/json';
        import { PageClient, type PageClientOptions, type PageSubscribeOptions } from 'sluice-client/page';
        import { typedHooks } from 'sluice-client/react';
        interface Topics {
          stats: { visitors: number };
        }
        typed<Topics>(new SluiceClient('/ws')).subscribe('stats', ({ data }) => data.visitors.toFixed());
        typed<Topics>(new PageClient('/ws')).subscribe('stats', { deliver: 'frame' }, ({ data }) => data.visitors.toFixed());
        export const clients = [new JsonClient('/ws'), new PageClient('/ws')];
        // Each option takes what is perhaps undefined.
        type Perhaps<T> = { [K in keyof T]: T[K] | undefined };
        type Part<K extends 'reconnect' | 'heartbeat' | 'offlineQueue'> = Perhaps<Exclude<ClientOptions[K], false | undefined>>;
        declare const reconnect: Part<'reconnect'>, heartbeat: Part<'heartbeat'>, offlineQueue: Part<'offlineQueue'>;
        declare const client: Perhaps<ClientOptions>, json: Perhaps<JsonClientOptions>, page: Perhaps<PageClientOptions>;
        declare const subscribe: Perhaps<SubscribeOptions>, frame: Perhaps<PageSubscribeOptions>, publish: Perhaps<PublishOptions>;
        export const given: [ClientOptions, ClientOptions, JsonClientOptions, PageClientOptions, SubscribeOptions, PageSubscribeOptions, PublishOptions] =
          [client, { reconnect, heartbeat, offlineQueue }, json, page, subscribe, frame, publish];
        export const visitors = (): number | undefined =>
          typedHooks<Topics>().useLatest('stats', { deliver: 'frame' })?.data.visitors;`;
      for (const file of files) writeFileSync(join(application, file), code);
      const always = [
        '--noEmit',
        '--strict',
        '--target',
        'es2022',
        '--lib',
        'es2022,dom,dom.iterable',
        '--types',
        'react',
      ];
      const compiled = await run(bin('tsc'), [...always, ...options, ...files], { cwd: application }).catch(
        ({ stdout }: { stdout: string }) => ({ stdout }),
      );
      expect(compiled.stdout).toBe('');
    });

    it.each([
      ['sluice-client', 'SluiceClient', "new SluiceClient('/ws').connect()"],
      ['sluice-client/json', 'JsonClient', "new JsonClient('/ws').connect()"],
      [
        'sluice-client/page',
        'PageClient',
        "[new PageClient('/ws')].map((c) => [c.connect(), c.subscribe('a'), c.getStatus()] as const)",
      ],
      ['sluice-client/react', 'useClient, useLatest', "() => [useClient(), useLatest('a')] as const"],
    ])(
      'has names for all that %s returns, for declarations of the application',
      async (entry, names, value) => {
        const code = `import { ${names} } from '${entry}';\nexport const inferred = ${value};`;
        for (const file of ['inferred.mts', 'inferred.cts']) {
          writeFileSync(join(application, file), code);
          const options = '--declaration --outDir out --strict --module nodenext --types react'.split(' ');
          const compiled = await run(bin('tsc'), [...options, file], { cwd: application }).catch(
            ({ stdout }: { stdout: string }) => ({ stdout }),
          );
          expect(compiled.stdout).toBe('');
        }
      },
    );
  });

  // A page of Next.js runs on the server unless its modules say otherwise.
  it('marks the React entry as code of the client', () => {
    for (const entry of ['dist/react/index.js', 'dist/cjs/react/index.js'])
      expect(readFileSync(join(unpacked, entry), 'utf8')).toMatch(/^("use strict";\n?)?"use client";/);
  });
});
