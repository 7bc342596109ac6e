import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { moduleFile } from '../support/command-line.ts';

/**
 * Prints how many times as large a heap becomes as what is reachable. It makes objects that are garbage only after they
 * have come to the old generation.
 */
const script = (path: string) => `
  const { boundHeapGrowth } = await import(${JSON.stringify(path)});
  const { getHeapStatistics } = await import('node:v8');
  const reachable = Array.from({ length: 1_000_000 }, (_, i) => ({ a: i, b: { i } }));
  const replaced = new Array(300_000).fill(undefined);
  const startBytes = getHeapStatistics().used_heap_size;
  let mostBytes = 0;
  for (let i = 0; i < 20_000_000; i++) {
    replaced[i % replaced.length] = { a: i, b: reachable };
    if (i % 1_000_000 === 0) boundHeapGrowth();
    // V8 itself chooses when it collects for the first time.
    if (i > 10_000_000 && i % 20_000 === 0) mostBytes = Math.max(mostBytes, getHeapStatistics().used_heap_size);
  }
  console.log(mostBytes / startBytes);
`;

test('a heap that is in use grows little before it is collected', () => {
  const { nodeArgs, path } = moduleFile('server/heap-growth');
  const args = [...nodeArgs, '--input-type=module', '-e', script(path)];
  expect(Number(execFileSync(process.execPath, args, { encoding: 'utf8' }))).toBeLessThan(3);
});
