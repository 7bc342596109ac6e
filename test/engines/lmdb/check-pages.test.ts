import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { pageFault } from '../../../src/engines/lmdb/check-pages.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { newFolder } from '../../support/temporary.ts';

const pageBytes = 4096;
let folder: string;
let path: string;
beforeEach(() => {
  folder = newFolder();
  path = join(folder, 'data.mdb');
});

/** Numbers from 0 to below `limit`, the same ones each time. */
function random(seed: number) {
  let state = seed;
  return (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Commits puts and removals of values of all sizes, so that pages are freed and used again. */
async function filled(commits: number, sync = false, look: () => void = () => undefined) {
  const next = random(commits);
  const store = new Store(folder, sync);
  for (let i = 0; i < commits; i++) {
    await store.commit(() => {
      for (let n = next(40); n >= 0; n--) {
        const key = Buffer.from(`key ${next(400)}`);
        if (next(3) === 0) store.remove(key);
        else store.put(key, Buffer.alloc(next(10) === 0 ? next(30_000) : next(300), i));
      }
    });
    look();
  }
  await store.close();
}

/** Where the root of the tree of free pages is. */
function freeRoot(bytes: Buffer): number {
  const [first, second] = [0, pageBytes].map((at) => ({
    commit: bytes.readBigUInt64LE(at + 152),
    root: bytes.readBigUInt64LE(at + 88),
  })) as [{ commit: bigint; root: bigint }, { commit: bigint; root: bigint }];
  return Number(first.commit > second.commit ? first.root : second.root);
}

describe('the pages of a file', () => {
  test.each([0, 1, 2, 3, 30, 300])('are in order after %d commits', async (commits) => {
    await filled(commits);
    expect(pageFault(path)).toBeUndefined();
  });

  test.each([false, true])('are in order after each commit (sync: %s)', async (sync) => {
    await filled(60, sync, () => expect(pageFault(path)).toBeUndefined());
  });

  test.each([
    ['zeros', (page: Buffer) => page.fill(0)],
    ['ones', (page: Buffer) => page.fill(255)],
    ['another page', (page: Buffer, all: Buffer) => all.copy(page, 0, pageBytes, 2 * pageBytes)],
  ])('are not when the list of free pages is %s', async (_, damage) => {
    await filled(50);
    const bytes = readFileSync(path);
    const at = freeRoot(bytes) * pageBytes;
    damage(bytes.subarray(at, at + pageBytes), bytes);
    writeFileSync(path, bytes);
    expect(pageFault(path)).toMatch(/page/);
  });

  test('are not when a page in use is listed as free', async () => {
    await filled(50);
    const bytes = readFileSync(path);
    const root = freeRoot(bytes);
    const node = root * pageBytes + 24 + bytes.readUInt16LE(root * pageBytes + 24);
    // The first list of free pages becomes a list of one: of the very page that it is on.
    const list = node + 8 + bytes.readUInt16LE(node + 6);
    bytes.writeBigUInt64LE(1n, list);
    bytes.writeBigUInt64LE(BigInt(root), list + 8);
    writeFileSync(path, bytes);
    expect(pageFault(path)).toBe(`page ${root} is free and in use`);
  });

  test.each([0, 1])(
    'are not when page %d is gone: the newest commit may have gone with it',
    async (number) => {
      await filled(50);
      const bytes = readFileSync(path);
      bytes.fill(0, number * pageBytes, (number + 1) * pageBytes);
      writeFileSync(path, bytes);
      expect(pageFault(path)).toBe(`page ${number} is not one of a database`);
    },
  );
});
