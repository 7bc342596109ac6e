import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeRelayFolder, relaySocket } from '../../src/server/relay-folder.ts';
import { newFolder } from '../support/temporary.ts';

const listen = (path: string) =>
  `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;

test('folders of processes that were killed are removed, all others stay', async () => {
  const parent = newFolder();
  const living = await makeRelayFolder(parent);
  const server = createServer().listen(relaySocket(living));
  await once(server, 'listening');
  const killed = await makeRelayFolder(parent);
  spawnSync(process.execPath, ['-e', listen(relaySocket(killed))]);
  const beginning = await makeRelayFolder(parent);
  const killedEarly = join(parent, 'sluice-proxies-early');
  mkdirSync(killedEarly);
  utimesSync(killedEarly, 0, 0);
  const foreign = join(parent, 'foreign');
  mkdirSync(foreign);
  utimesSync(foreign, 0, 0);
  const file = join(parent, 'sluice-proxies-file');
  writeFileSync(file, '');
  const own = await makeRelayFolder(parent);
  const there = { living, killed, beginning, killedEarly, foreign, file, own };
  expect(Object.entries(there).flatMap(([name, path]) => (existsSync(path) ? [name] : []))).toEqual([
    'living',
    'beginning',
    'foreign',
    'file',
    'own',
  ]);
  server.close();
});

const user = 65_534;

test.skipIf(process.getuid?.() !== 0)(
  'a folder that another user left does not keep it from its own',
  async () => {
    const parent = newFolder();
    chmodSync(parent, 0o1777);
    const others = join(parent, 'sluice-proxies-others');
    mkdirSync(others);
    utimesSync(others, 0, 0);
    process.seteuid?.(user);
    const made = await makeRelayFolder(parent).finally(() => process.seteuid?.(0));
    expect([existsSync(others), existsSync(made)]).toEqual([true, true]);
  },
);
