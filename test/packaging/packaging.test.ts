import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Workshop } from './install.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { version, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
};

/**
 * What `npm run build` needs of the packages for development. npm installs all of them before it packs a repository.
 */
const neededToBuild = [
  '@types/node',
  '@types/react',
  '@types/ws',
  'esbuild',
  'oxc-parser',
  'typescript',
  'uplot',
];
const stubs = new Set(Object.keys(devDependencies).filter((name) => !neededToBuild.includes(name)));

/** The registry knows installed packages only: the name of the SDK as a package of its own can't be resolved. */
let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open(root, stubs);
});
afterAll(() => workshop.close());

/** Publishes and receives what it published, with the SDK as a page or a backend imports it. */
const roundTrip = `
  import { SluiceClient } from 'sluice/client';
  import { WebSocket } from 'ws';
  const client = new SluiceClient(process.argv[2], { WebSocket });
  await client.connect();
  const subscription = client.subscribe('packed');
  const received = new Promise((resolve) => subscription.on('publication', ({ data }) => resolve(data)));
  subscription.on('state', (state) => {
    if (state === 'live') void client.publish('packed', 'update', { sent: true });
  });
  console.log(JSON.stringify(await received));
  client.close();
`;

/** Publishes, and says where, and which native code was loaded for it. */
const publishing = `
  import { Publisher } from 'sluice/publisher';
  const publisher = new Publisher({ url: process.argv[2] });
  const { offset } = await publisher.publish('published', 'update', 1);
  await publisher.close();
  const { sharedObjects } = process.report.getReport();
  console.log(JSON.stringify({ offset, native: sharedObjects.filter((path) => path.endsWith('.node')) }));
`;

async function startedUrl(folder: string): Promise<string> {
  const args = ['serve', '--port', '0', '--no-canary', '--log-format', 'json'];
  const gateway = spawn(join(folder, 'node_modules/.bin/sluice'), args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (gateway.exitCode !== null) return;
    gateway.kill('SIGKILL');
    await once(gateway, 'exit');
  });
  for await (const line of createInterface({ input: gateway.stdout })) {
    const url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the gateway ended before it was ready');
}

/** By its command, as a gateway, by its pages, as a library and as an SDK. */
async function expectToWork(folder: string): Promise<void> {
  const told = await workshop.run(folder, 'npx', 'sluice', '--version');
  expect(told.stdout.trim()).toBe(version);
  const url = await startedUrl(folder);
  for (const path of ['/', '/client.js', '/dashboard.js', '/dashboard.css', '/try', '/try.js', '/try.css']) {
    expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
  }
  writeFileSync(join(folder, 'round-trip.js'), roundTrip);
  const socketUrl = `${url.replace('http', 'ws')}/ws`;
  const received = await workshop.run(folder, 'node', 'round-trip.js', socketUrl);
  expect(received.stdout.trim()).toBe('{"sent":true}');
  writeFileSync(join(folder, 'publishing.js'), publishing);
  const published = await workshop.run(folder, 'node', 'publishing.js', url);
  expect(JSON.parse(published.stdout)).toEqual({ offset: 1, native: [] });
  const library = await workshop.run(
    folder,
    'node',
    '--eval',
    'import("sluice").then((it) => console.log(Object.keys(it).sort().join()))',
  );
  expect(library.stdout.trim()).toBe('ConfigError,SluiceError,createGateway');
  // Since 20.19 Node lets CommonJS require an ES module that awaits nothing while it loads.
  const required = await workshop.run(
    folder,
    'node',
    '--eval',
    'console.log(typeof require("sluice").createGateway, typeof require("sluice/publisher").Publisher)',
  );
  expect(required.stdout.trim()).toBe('function function');
}

test('the package is built by its git repository, packed, and works where its tarball is installed', async () => {
  const folder = await workshop.install('installed', await workshop.packed(await workshop.repository()));
  await expectToWork(folder);
}, 600_000);

test('the image is built from what its Dockerfile copies', async () => {
  const tree = await workshop.builtImageTree();
  const told = await workshop.run(tree, 'node', 'dist/cli.js', '--version');
  expect(told.stdout.trim()).toBe(version);
}, 600_000);
