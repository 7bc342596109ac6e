import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config.ts';
import { memoryLimitBytes, memoryProblem } from '../../src/server/memory-limit.ts';

const mib = 2 ** 20;
const flags = {
  topicsMax: 10 * 1024,
  historyMaxBytes: '100MiB',
  backpressureTotalMaxBytes: '50MiB',
  requestsMaxBytes: '20MiB',
  messageIdsMaxBytes: '40MiB',
  presenceMaxBytes: '20MiB',
};

test('limits that fit into the memory of the process are fine, and others are named with what they add up to', () => {
  const config = loadConfig({ flags });
  expect(memoryProblem(config, 380 * mib)).toBeUndefined();
  expect(memoryProblem(config, 380 * mib - 1)).toMatch(
    /380 MiB, and 380 MiB\): lower topicsMax, historyMaxBytes, /,
  );
  const workers = loadConfig({ flags: { ...flags, workers: 2 } });
  expect(memoryProblem(workers, 3 * 380 * mib)).toBeUndefined();
  expect(memoryProblem(workers, 3 * 380 * mib - 1)).toContain('1140 MiB');
});

test('the example for operators fits into the memory that it names', () => {
  const page = readFileSync(new URL('../../src/OPERATIONS.md', import.meta.url), 'utf8');
  const [, limit, example = ''] = /These fit in (\d+) MiB:\n\n```yaml\n(.*?)```/s.exec(
    page,
  ) as RegExpExecArray;
  const config = loadConfig({ flags: parse(example) as Record<string, string> });
  expect(memoryProblem(config, Number(limit) * mib)).toBeUndefined();
});

test('the memory limit of the process is found', () => {
  expect(memoryLimitBytes()).toBeGreaterThan(0);
  expect(Number.isFinite(memoryLimitBytes())).toBe(true);
});
