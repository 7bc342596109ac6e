import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { internalNames } from '../../src/client/internal-names.ts';
import { startGateway } from '../support/gateway.ts';

const root = resolve(import.meta.dirname, '../..');
const textOf = (path: string): string => readFileSync(resolve(root, path), 'utf8').replace(/\/\/.*/g, '');

/** What applications, the gateway, and tabs and workers with other versions name. */
const known = [
  ...[
    'client',
    'client-error',
    'events',
    'options',
    'payload',
    'publication',
    'requests',
    'runtime',
    'status',
  ],
  ...[
    'connection/backoff',
    'connection/close-code',
    'connection/heartbeat',
    'json/codec',
    'json/json-client',
  ],
  ...['subscriptions/subscribe-options', 'subscriptions/subscription', 'wire/tables'],
  ...readdirSync(resolve(root, 'src/client/page')).map((file) => `page/${file.replace('.ts', '')}`),
].map((name) => `src/client/${name}.ts`);
const react = readdirSync(resolve(root, 'src/client/react')).map((file) => `src/client/react/${file}`);

const member = /(?:readonly |get |async |[{;(,|&] *|^\s+)(\w+)\??(?:[(<]|: )/gm;
/** Of these files, members of no public class or message, and local names that look like members. */
const inside = new Set(
  'abandon beat begin bits clientChanged closedBy codec commands connection dead disconnected failed flush greeted heard isList isOptional isOver isOwn isText isUnsettled many oneOf parts port probe rejectAll report sendFrame serverMade stand standard wireType'.split(
    ' ',
  ),
);

/** What code is named by, that is loaded when it is first needed: esbuild shortens members, and leaves exports. */
function exportsOfLaterCode(): string[] {
  const files = readdirSync(resolve(root, 'src/client'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^(?!dist|node_modules).*\.tsx?$/.test(path))
    .map((path) => `src/client/${path}`);
  const later = files.flatMap((path) =>
    [...textOf(path).matchAll(/import\('(.+?)'\)/g)].map(([, name = '']) => resolve(root, path, '..', name)),
  );
  expect(later.length).toBeGreaterThan(3);
  return later.flatMap((path) =>
    [...textOf(path).matchAll(/^export (?:async )?(?:function|class|const|\{) ?([\w, ]+)/gm)].flatMap(
      ([, names = '']) => names.match(/\w+/g) ?? [],
    ),
  );
}

/** Parameters of requests, and members of bodies: the client makes queries of its objects, by the names of members. */
async function namesOfRoutes(): Promise<string[]> {
  const gateway = await startGateway();
  const document = await (await fetch(`http://127.0.0.1:${gateway.port}/openapi.json`)).text();
  await gateway.close();
  const names: string[] = [];
  JSON.parse(document, (key, value: unknown) => {
    if (key === 'properties' && value instanceof Object) names.push(...Object.keys(value));
    else if (key === 'name' && typeof value === 'string') names.push(value);
    return value;
  });
  expect(names).toContain('former');
  return names;
}

it('no public member is shortened', async () => {
  const names = new Set(internalNames.split(' '));
  const members = [...known, ...react].flatMap((path) =>
    [...textOf(path).matchAll(member)].map(([, name = '']) => name),
  );
  const taken = new Set([...members, ...(await namesOfRoutes())].filter((name) => !inside.has(name)));
  for (const [name] of textOf('proto/gateway.proto').matchAll(/\w+/g)) taken.add(name);
  for (const name of [...Object.getOwnPropertyNames(globalThis), ...exportsOfLaterCode()]) taken.add(name);
  expect([...names].filter((name) => taken.has(name))).toEqual([]);
});
