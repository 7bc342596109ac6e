import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cutHooks } from '../../bench/support/without-hooks.ts';

const folders = ['api', 'server', 'sessions'].map((name) => new URL(`../../src/${name}/`, import.meta.url));
const sources = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => name.endsWith('.ts') && !(folder.href.endsWith('/server/') && name === 'application.ts'),
    )
    .map((name) => ({ name, code: readFileSync(new URL(name, folder), 'utf8') })),
);

test('nothing of the gateway reads a hook or tells an event once the hooks are cut out', () => {
  const left = sources.filter(({ code }) =>
    // A call of a hook is left, behind a branch that is never taken.
    /\bapplication\??\.(connect|subscribe|publish)\b(?!\()|\{[^}]*\b(connect|subscribe|publish)\b[^}]*\} = application|\breport\?\.\(/.test(
      cutHooks(code),
    ),
  );
  expect(left.map(({ name }) => name)).toEqual([]);
});

test('each file that asks the application is cut', () => {
  const changed = sources.filter(({ code }) => cutHooks(code) !== code).map(({ name }) => name);
  expect(changed.sort()).toEqual([
    'admission/admission.ts',
    'application.ts',
    'commands/command-table.ts',
    'subscriptions/preparation.ts',
    'transport.ts',
    'users/attendance.ts',
    'users/authentication.ts',
    'users/session-identities.ts',
  ]);
});
