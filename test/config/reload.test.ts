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

test('namespaces take all but what their topics are made of, and each option is named', () => {
  const live = new LiveConfig(configOf({ namespaces: { a: { ttlMs: 1 }, s: { mode: 'state', ttlMs: 4 } } }));
  const optionsOf = (name: string) => namespaceOptions(live.config, name);
  const next = configOf({
    namespaces: {
      a: { ttlMs: 2, mode: 'state', refreshMs: 1000 },
      b: { ttlMs: 3, refreshMs: 0 },
      server: { mode: 'stream' },
    },
  });
  const needRestart = [
    'namespaces.s.mode',
    'namespaces.a.mode',
    'namespaces.a.refreshMs',
    'namespaces.server.mode',
  ];
  const { changed, needRestart: waiting } = live.take(next);
  expect([...changed].sort()).toEqual(['namespaces.a.ttlMs', 'namespaces.b.ttlMs', 'namespaces.s.ttlMs']);
  expect([...waiting].sort()).toEqual([...needRestart].sort());
  expect(
    ['a', 'b', 's', 'server', 'other'].map((name) => [optionsOf(name).mode, optionsOf(name).ttlMs]),
  ).toEqual([
    ['stream', 2],
    ['stream', 3],
    ['state', 0],
    ['state', 0],
    ['stream', 0],
  ]);
  // What needs a restart is told again, as it still differs.
  expect(live.take(next)).toMatchObject({ changed: [] });
});

test('what namespaces inherit is named where it comes from', () => {
  const live = new LiveConfig(configOf({ namespaces: { a: { ttlMs: 1 } } }));
  const general = { topicHistoryMaxPublications: 7, batchMaxDelayMs: 9 };
  expect(live.take(configOf({ namespaces: { a: { ttlMs: 1 } }, ...general }))).toEqual({
    changed: ['topicHistoryMaxPublications', 'batchMaxDelayMs'],
    needRestart: [],
  });
  expect(namespaceOptions(live.config, 'a')).toMatchObject(general);
  const keyed = configOf({ apiKeys: ['a-key-of-some-length'], namespaces: { default: { conflate: true } } });
  expect([...live.take(keyed).changed].sort()).toEqual([
    'apiKeys',
    'batchMaxDelayMs',
    'namespaces.a.ttlMs',
    'namespaces.default.conflate',
    'topicHistoryMaxPublications',
  ]);
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
