import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser } from '../support/browser.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { newFolder } from '../support/temporary.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

/** An application as a user of the package would begin it. */
const main = `
import { ClientError, type ReceivedPublication, SluiceClient } from 'sluice-client';

interface Load {
  readonly cpu: number;
}

const gateway = new URLSearchParams(location.search).get('gateway') ?? '';
const client = new SluiceClient(gateway);
const show = (text: string): void => {
  document.title = text;
};
client.onError((error: ClientError) => show(error.code));
const subscription = client.subscribe<Load>('load', {}, ({ data, offset }: ReceivedPublication<Load>) => {
  show('offset ' + offset + ': ' + data.cpu.toFixed(1));
});
subscription.on('state', (state) => show(state));
void client.connect();
void client.publish('visits', 'visit', { page: '/' }).catch(() => undefined);
`;

/** The same with React. */
const reactMain = `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ConnectionStatus, SluiceProvider, useLatest, useTopic } from 'sluice-client/react';

interface Load {
  readonly cpu: number;
}

function Title() {
  const { state } = useTopic<Load>('load');
  const latest = useLatest<Load>('load', {});
  const text = latest ? 'offset ' + latest.offset + ': ' + latest.data.cpu.toFixed(1) : state;
  return <title>{text}</title>;
}

const url = new URLSearchParams(location.search).get('gateway') ?? '';
createRoot(document.body).render(
  <StrictMode>
    <SluiceProvider url={url}>
      <Title />
      <ConnectionStatus />
    </SluiceProvider>
  </StrictMode>,
);
`;

const strict = {
  target: 'ES2022',
  lib: ['ES2023', 'DOM'],
  types: [],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  // The types of the package are checked too.
  skipLibCheck: false,
};

/** All that a page loads at once, with its own code and Vite's loader: some 0.8 kB beside the SDK. */
const pageMaxBytes = 18_550;

const contentTypes: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

let folder: string;
let tarball: string;
let gateway: TestGateway;
let browser: TestBrowser;
let site: Server;
/** What the site serves now. */
let served: string;
/** Scripts that pages have loaded from it, compressed as a server does it: bytes by path. */
const loaded = new Map<string, number>();

const plain = { file: 'src/main.ts', text: main, packages: [] };

/** An empty application with the package, installed from its tarball without any registry. */
async function application(
  name: string,
  compilerOptions: object,
  source: { readonly file: string; readonly text: string; readonly packages: readonly string[] } = plain,
): Promise<string> {
  const app = join(folder, name);
  mkdirSync(join(app, 'src'), { recursive: true });
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }');
  writeFileSync(
    join(app, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...strict, ...compilerOptions }, include: ['src'] }),
  );
  writeFileSync(join(app, source.file), source.text);
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: app });
  for (const each of source.packages) {
    mkdirSync(join(app, 'node_modules', each, '..'), { recursive: true });
    symlinkSync(join(root, 'node_modules', each), join(app, 'node_modules', each));
  }
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', app]);
  return app;
}

beforeAll(async () => {
  folder = newFolder();
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', pack, { cwd: join(root, 'src/client') });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  tarball = join(folder, filename);
  site = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://site').pathname;
    const file = path === '/' ? '/index.html' : path;
    response.setHeader('content-type', contentTypes[extname(file)] ?? 'application/octet-stream');
    if (!existsSync(join(served, file))) {
      response.writeHead(404).end();
      return;
    }
    const body = gzipSync(readFileSync(join(served, file)), { level: 9 });
    if (extname(file) === '.js') loaded.set(file, body.length);
    response.setHeader('content-encoding', 'gzip').end(body);
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  gateway = await startGateway({ origins: [siteOrigin()] });
  browser = await TestBrowser.launch();
});

afterAll(async () => {
  await browser.close();
  site.close();
  await gateway.close();
});

function siteOrigin(): string {
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
}

/** The built page, from its own origin, gets what is published at the gateway. */
async function expectToReceive(built: string, cpu: number): Promise<void> {
  served = built;
  loaded.clear();
  const { page, problems } = await browser.open(`${siteOrigin()}/?gateway=${gateway.wsUrl}`);
  await page.waitForFunction(() => document.title === 'live');
  const { offset } = await gateway.publish({ topic: 'load', type: 'load', data: { cpu } });
  const title = `offset ${offset}: ${cpu.toFixed(1)}`;
  await page.waitForFunction((wanted) => document.title === wanted, title);
  expect(problems).toEqual([]);
  await page.close();
}

describe('the package sluice-client in an application of another origin', () => {
  it('is built by Vite, type checked strictly, and receives', async () => {
    const app = await application('vite', { module: 'ESNext', moduleResolution: 'bundler', noEmit: true });
    writeFileSync(
      join(app, 'index.html'),
      '<!doctype html><title>…</title><script type="module" src="/src/main.ts"></script>',
    );
    const { build } = await import('vite');
    await build({ root: app, logLevel: 'error', configFile: false });
    await expectToReceive(join(app, 'dist'), 12.5);
    const sizes = [...loaded.values()];
    console.log(`a page that subscribes and publishes loads ${sizes.join(' + ')} bytes`);
    expect(sizes.length).toBe(1);
    expect(sizes[0]).toBeLessThanOrEqual(pageMaxBytes);
  });

  it('is built by Vite with React, type checked strictly, and receives', async () => {
    const app = await application(
      'vite-react',
      { module: 'ESNext', moduleResolution: 'bundler', noEmit: true, jsx: 'react-jsx' },
      {
        file: 'src/main.tsx',
        text: reactMain,
        packages: ['react', 'react-dom', '@types/react', '@types/react-dom'],
      },
    );
    const script = '<script type="module" src="/src/main.tsx"></script>';
    writeFileSync(join(app, 'index.html'), `<!doctype html><body>${script}</body>`);
    const { build } = await import('vite');
    await build({ root: app, logLevel: 'error', configFile: false });
    await expectToReceive(join(app, 'dist'), 34.5);
  });

  it('is built by webpack, type checked strictly, and receives', async () => {
    const app = await application('webpack', {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      rootDir: join(folder, 'webpack/src'),
      outDir: join(folder, 'webpack/compiled'),
    });
    const { default: webpack } = await import('webpack');
    const compiler = webpack({
      mode: 'production',
      context: app,
      entry: './compiled/main.js',
      output: { path: join(app, 'dist') },
    });
    const faults = await new Promise<unknown>((done) => {
      compiler?.run((error, stats) => done(error ?? stats?.toJson({ all: false, errors: true }).errors));
    });
    expect(faults).toEqual([]);
    writeFileSync(
      join(app, 'dist/index.html'),
      '<!doctype html><title>…</title><script src="/main.js"></script>',
    );
    await expectToReceive(join(app, 'dist'), 87.5);
  });
});
