import { expect, test } from 'vitest';
import type { Entries } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config.ts';
import { BusLine } from '../../src/server/bus-line.ts';
import { SharedOptions } from '../../src/server/shared-options.ts';
import type { BusListener, NodeBus } from '../../src/topics/engine.ts';

/** Two gateways on one bus: what each logs once both have met, and met again. */
function meet(...all: readonly Entries[]): unknown[][] {
  const listeners = new Map<string, BusListener>();
  const busOf = (node: string): NodeBus => ({
    node,
    listen: (listener) => listeners.set(node, listener),
    send: (text) => {
      for (const [name, listener] of listeners) if (name !== node) listener.message(text, node);
      return true;
    },
  });
  const logs = all.map((entries, i) => {
    const logged: unknown[] = [];
    const log = { warn: (line: unknown) => logged.push(line) };
    const line = new BusLine(busOf(`node-${i}`), log, new SharedOptions(loadConfig({ entries }), log));
    line.listen({
      knows: () => false,
      told: () => undefined,
      asked: async () => [],
      gone: () => undefined,
      came: () => undefined,
    });
    return logged;
  });
  for (const names of [['node-0', 'node-1'], [], ['node-0', 'node-1']])
    for (const [node, listener] of listeners) listener.nodes(names.filter((name) => name !== node));
  return logs;
}

test.each([
  [
    'a limit of all histories',
    { topicHistoryMaxPublications: 10 },
    'namespaces.default.topicHistoryMaxPublications',
    1000,
    10,
  ],
  [
    'the mode of a namespace',
    { namespaces: { chart: { mode: 'state' } } },
    'namespaces.chart.mode',
    'stream',
    'state',
  ],
  ['the TTL of a namespace', { namespaces: { chart: { ttlMs: 5000 } } }, 'namespaces.chart.ttlMs', 0, 5000],
  ['the replicas that must have a publication', { redisMinReplicas: 1 }, 'redisMinReplicas', 0, 1],
  [
    'API keys, by their names',
    { apiKeys: [{ name: 'backend', key: 'a-key-of-24-characters..' }] },
    'apiKeys',
    '',
    'backend',
  ],
] as const)(
  'two gateways that differ in %s say so once, with both values',
  (_, entries, option, here, there) => {
    const [first, second] = meet({}, entries);
    const named = (lines: unknown) =>
      (lines as [{ differences: readonly { option: string }[] }])[0].differences;
    expect([first, second]).toMatchObject([[{ gateway: 'node-1' }], [{ gateway: 'node-0' }]]);
    expect([first?.length, second?.length]).toEqual([1, 1]);
    expect(named(first)).toContainEqual({ option, here, there });
    expect(named(second)).toContainEqual({ option, here: there, there: here });
    expect(JSON.stringify([first, second])).not.toContain('a-key-of');
  },
);

test('gateways with equal options, or which differ in what each may have for itself, log nothing', () => {
  expect(meet({}, { port: 1234, connectionsMax: 5, namespaces: { chart: { presence: false } } })).toEqual([
    [],
    [],
  ]);
});
