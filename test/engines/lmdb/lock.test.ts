import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Lock, takeLock } from '../../../src/engines/lmdb/lock.ts';
import { takeNumberedLock } from '../../../src/engines/lmdb/numbered-lock.ts';
import { isListening, listenAt } from '../../../src/unix-sockets.ts';
import { newFolder } from '../../support/temporary.ts';

/** What happens before and after the next socket begins to listen, once. */
let beforeListening: (() => Promise<void>) | undefined;
let afterListening: (() => Promise<void>) | undefined;
const listen: typeof listenAt = async (...args) => {
  const [before, after] = [beforeListening, afterListening];
  beforeListening = afterListening = undefined;
  await before?.();
  const close = await listenAt(...args);
  await after?.();
  return close;
};

let folder: string;
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => {
  beforeListening = afterListening = undefined;
});

const locks = () => readdirSync(folder).sort();

async function taken(): Promise<() => void> {
  const release = await takeNumberedLock(folder, listen);
  if (release === undefined) throw new Error('the folder is in use');
  return release;
}

/** A dead lock, as a killed owner leaves it. */
async function dead(name: string): Promise<void> {
  mkdirSync(join(folder, name));
  const close = await listenAt(join(folder, 'socket'));
  // Closing removes the socket under the name with which it was made.
  renameSync(join(folder, 'socket'), join(folder, name, 's'));
  close?.();
}

describe('the lock of a folder', () => {
  test('is taken once, and again after its release', async () => {
    const lock = await takeLock(folder);
    expect(lock).toBeDefined();
    expect(await takeLock(folder)).toBeUndefined();
    lock?.release();
    const next = await takeLock(folder);
    expect(next).toBeDefined();
    next?.release();
  });

  test.runIf(process.platform === 'linux')('is the same by every path, and without its files', async () => {
    const other = join(newFolder(), 'other');
    symlinkSync(folder, other);
    const lock = await takeLock(folder);
    expect(await takeLock(other)).toBeUndefined();
    for (const name of locks()) rmSync(join(folder, name), { recursive: true });
    expect(await takeLock(other)).toBeUndefined();
    lock?.release();
    const next = await takeLock(other);
    expect(next).toBeDefined();
    next?.release();
  });

  test.runIf(process.platform === 'linux')(
    'works where the path is longer than a socket allows',
    async () => {
      const long = join(folder, 'x'.repeat(150));
      mkdirSync(long);
      const lock = await takeLock(long);
      expect(lock).toBeDefined();
      expect(await takeLock(long)).toBeUndefined();
      lock?.release();
      const next = await takeLock(long);
      expect(next).toBeDefined();
      next?.release();
    },
  );

  test('is taken by one of many that start at once', async () => {
    let last: Lock | undefined;
    for (let round = 0; round < 20; round++) {
      last?.release();
      const all = await Promise.all(Array.from({ length: 8 }, () => takeLock(folder)));
      const owners = all.filter((lock) => lock !== undefined);
      expect(owners).toHaveLength(1);
      last = owners[0];
    }
    last?.release();
  });
});

describe('the lock in the folder', () => {
  test.each(['killed', 'closed'])('of an owner that was %s is followed by the next number', async (how) => {
    if (how === 'killed') await dead('lock.1');
    else (await taken())();
    expect(locks()).toEqual(['lock.1']);
    const release = await taken();
    expect(locks()).toEqual(['lock.2']);
    expect(await takeNumberedLock(folder, listen)).toBeUndefined();
    release();
    expect(locks()).toEqual(['lock.2']);
  });

  test('removes older ones and dead candidates, and nothing else', async () => {
    for (const name of ['lock.3', 'lock.12', 'lock.new-dead']) await dead(name);
    for (const name of ['lock.mdb', 'lock.old', 'data.mdb']) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, 'lock.new-alive'));
    const close = await listenAt(join(folder, 'lock.new-alive', 's'));
    const release = await taken();
    expect(locks()).toEqual(['data.mdb', 'lock.13', 'lock.mdb', 'lock.new-alive', 'lock.old']);
    expect(await isListening(join(folder, 'lock.new-alive', 's'))).toBe(true);
    release();
    close?.();
  });

  test.each([
    ['an empty folder', () => mkdirSync(join(folder, 'lock.4'))],
    ['a file', () => writeFileSync(join(folder, 'lock.4'), '')],
    [
      'a folder with a file',
      () => {
        mkdirSync(join(folder, 'lock.4'));
        writeFileSync(join(folder, 'lock.4', 's'), '');
      },
    ],
  ])('that a copy of the folder made %s is dead', async (_, copy) => {
    copy();
    const release = await taken();
    expect(locks()).toEqual(['lock.5']);
    release();
  });

  test('stays with the owner that came first, when its number was taken meanwhile', async () => {
    const other: (() => void)[] = [];
    beforeListening = async () => void other.push(await taken());
    expect(await takeNumberedLock(folder, listen)).toBeUndefined();
    expect([locks(), other.length]).toEqual([['lock.1'], 1]);
    other[0]?.();
  });

  test('is not taken with a number that an owner of a newer one has freed meanwhile', async () => {
    let newest: () => void = () => undefined;
    afterListening = async () => {
      (await taken())();
      newest = await taken();
    };
    expect(await takeNumberedLock(folder, listen)).toBeUndefined();
    expect(await isListening(join(folder, 'lock.2', 's'))).toBe(true);
    newest();
  });

  test('is taken after all when the newer owner has gone meanwhile', async () => {
    afterListening = async () => {
      (await taken())();
      (await taken())();
    };
    const release = await taken();
    expect(await isListening(join(folder, 'lock.3', 's'))).toBe(true);
    release();
  });

  test.each(['before', 'while', 'after'])(
    'is taken after all when a gone owner removed the candidate %s it listened',
    async (when) => {
      const removed = async () => {
        (await taken())();
        for (const name of locks())
          if (name.startsWith('lock.new-')) rmSync(join(folder, name), { recursive: true });
      };
      if (when === 'before') beforeListening = removed;
      else if (when === 'after') afterListening = removed;
      else
        afterListening = async () => {
          // The socket goes first, and then its folder: in between, the listener can't change the socket's rights.
          const candidate = locks().find((name) => name.startsWith('lock.new-')) as string;
          rmSync(join(folder, candidate, 's'));
          const gone = new Error('uv_pipe_chmod');
          throw Object.assign(gone, { code: 'ENOENT' });
        };
      const release = await taken();
      expect(locks()).toEqual([when === 'while' ? 'lock.1' : 'lock.2']);
      release();
    },
  );

  test('leaves a folder without candidates when it is refused', async () => {
    const release = await taken();
    expect(await takeNumberedLock(folder, listen)).toBeUndefined();
    expect(locks()).toEqual(['lock.1']);
    release();
    expect(existsSync(join(folder, 'lock.1', 's'))).toBe(true);
  });
});
