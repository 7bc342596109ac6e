import { expect, test } from 'vitest';
import { LiveConfig, loadConfig, namespaceOptions, options, reloadable } from '../../src/config.ts';

const configOf = (entries: Record<string, unknown>) => loadConfig({ entries });

test('reloadable options have the new values at once, others the old until a restart', () => {
  const live = new LiveConfig(configOf({ origins: ['https://a.example'], port: 1 }));
  const { config } = live;
  const next = configOf({ origins: ['https://b.example'], port: 2, connectionsMax: 7 });
  expect(live.take(next)).toEqual({ changed: ['origins', 'connectionsMax'], needRestart: ['port'] });
  expect([config.origins, config.connectionsMax, config.port]).toEqual([['https://b.example'], 7, 1]);
  // What needs a restart is told again, as it still differs.
  expect(live.take(next)).toEqual({ changed: [], needRestart: ['port'] });
});

test('namespaces are taken where no topic would change its mode', () => {
  const live = new LiveConfig(configOf({ namespaces: { a: { ttlMs: 1 } } }));
  const ttlOf = (name: string) => namespaceOptions(live.config, name).ttlMs;
  const taken = live.take(configOf({ namespaces: { a: { ttlMs: 2 }, b: { ttlMs: 3 } } }));
  expect([taken, ttlOf('a'), ttlOf('b'), ttlOf('c')]).toEqual([
    { changed: ['namespaces'], needRestart: [] },
    2,
    3,
    0,
  ]);
  for (const namespaces of [
    { a: { mode: 'state' } },
    { new: { mode: 'state' } },
    { server: { mode: 'stream' } },
  ]) {
    expect(live.take(configOf({ namespaces }))).toEqual({ changed: [], needRestart: ['namespaces'] });
  }
  expect(ttlOf('a')).toBe(2);
});

test('the URL of events changes, but whether there is one does not', () => {
  const hookSecret = 'a secret of at least thirty-two bytes';
  const withUrl = (hookEvents: string) => configOf({ hookEvents, hookSecret });
  const live = new LiveConfig(withUrl('http://a.example/'));
  expect(live.take(withUrl('http://b.example/'))).toEqual({ changed: ['hookEvents'], needRestart: [] });
  expect(live.take(withUrl(''))).toEqual({ changed: [], needRestart: ['hookEvents'] });
  expect(live.config.hookEvents).toBe('http://b.example/');
  const without = new LiveConfig(withUrl(''));
  expect(without.take(withUrl('http://a.example/')).needRestart).toEqual(['hookEvents']);
});

test('only options that there are can be reloaded', () => {
  const names = new Set(options.map(({ name }) => name));
  expect(reloadable.filter((name) => !names.has(name))).toEqual([]);
});
