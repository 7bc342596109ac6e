import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { moduleFile } from '../support/command-line.ts';

/** Prints the share of the process's CPU time that other threads than the loop's have while it makes garbage. */
const script = (path: string, cores: number) => `
  const { collectByLoop } = await import(${JSON.stringify(path)});
  const { readFileSync } = await import('node:fs');
  collectByLoop(${cores});
  const replaced = new Array(300_000).fill(undefined);
  const makeGarbage = () => {
    for (let i = 0; i < 10_000_000; i++) replaced[i % replaced.length] = { a: i, b: { i } };
  };
  const loopMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  // Until then the compiler's thread has work, too.
  makeGarbage();
  const startMs = loopMs();
  const start = process.cpuUsage();
  makeGarbage();
  const { user, system } = process.cpuUsage(start);
  console.log(1 - (loopMs() - startMs) / ((user + system) / 1000));
`;

function shareOfOthers(cores: number): number {
  const { nodeArgs, path } = moduleFile('server/collector-threads');
  const args = [...nodeArgs, '--input-type=module', '-e', script(path, cores)];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

test('on its only core the event loop collects garbage itself', () => {
  expect(shareOfOthers(1)).toBeLessThan(0.05);
});

test('with other cores, their threads help', () => {
  expect(shareOfOthers(2)).toBeGreaterThan(0.1);
});
