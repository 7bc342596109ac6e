import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { failedRestMs } from '../../../src/engines/lmdb/database.ts';
import {
  freeAgainBytes,
  freeBytesOf,
  freeMinBytes,
  lookEveryMs,
} from '../../../src/engines/lmdb/disk-room.ts';
import type { LmdbEngine } from '../../../src/engines/lmdb/engine.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { ofTest } from '../../support/opened.ts';
import { summary } from '../../topics/fixtures.ts';
import { Feed, failingStore, loaded, offsets, request, StoredTopics } from './fixtures.ts';

let stored: StoredTopics;
beforeEach(() => {
  stored = ofTest(new StoredTopics());
});

/** Appends as soon as the engine tries the store again: it rests after a failure. */
function appendedAgain(engine: LmdbEngine) {
  stored.clock.advance(failedRestMs);
  return engine.append([request('a')]);
}

describe.each([false, true])('a store that fails (sync: %s)', (sync) => {
  test('fails the appends that it affects, loses nothing else, and works again', async () => {
    const { faults, openStore } = failingStore();
    const { engine, feed } = await stored.open({ sync, openStore });
    const [first] = await engine.append([request('a', { messageId: 'm0' })]);
    faults.fail = new Error('no space left');
    const outcomes = await engine.append([request('a', { messageId: 'm1' }), request('b')]);
    expect(summary(outcomes)).toEqual(['engine_unavailable', 'engine_unavailable']);
    expect(outcomes).toMatchObject([{ error: { retry: true, cause: faults.fail } }, {}]);
    expect([feed.fed.length, feed.causes]).toEqual([1, [faults.fail]]);
    faults.fail = undefined;
    expect(await appendedAgain(engine)).toMatchObject([{ ...first, offset: 2 }]);
    expect(feed.causes.at(-1)).toBeUndefined();
    expect(await engine.append([request('a', { messageId: 'm1' }), request('b')])).toMatchObject([
      { offset: 3, duplicate: false },
      { offset: 1 },
    ]);
    expect(offsets(await loaded(engine, 'a'))).toEqual([1, 2, 3]);
  });

  test('rests after a failure, and is tried again after that', async () => {
    const { faults, openStore } = failingStore();
    const { engine } = await stored.open({ sync, openStore });
    faults.fail = new Error('no space left');
    const outcomes = () => engine.append([request('a')]).then(summary);
    expect(await outcomes()).toEqual(['engine_unavailable']);
    faults.fail = undefined;
    stored.clock.advance(failedRestMs - 1);
    expect(await outcomes()).toEqual(['engine_unavailable']);
    stored.clock.advance(1);
    expect(await outcomes()).toEqual([1]);
  });

  test('acknowledges a commit that reported a failure and yet took place', async () => {
    const { faults, openStore } = failingStore();
    const { engine, feed } = await stored.open({ sync, openStore });
    faults.fail = new Error('input/output error');
    faults.afterCommit = true;
    expect(summary(await engine.append([request('a'), request('a')]))).toEqual([1, 2]);
    expect([feed.fed.map(({ offset }) => offset), feed.causes]).toEqual([[1, 2], [faults.fail]]);
  });

  test('that can’t even be opened fails appends and loads until it can', async () => {
    const { faults, openStore } = failingStore();
    const { engine } = await stored.open({ sync, openStore });
    await engine.append([request('a')]);
    faults.fail = new Error('broken');
    faults.openFails = true;
    expect(summary(await engine.append([request('a')]))).toEqual(['engine_unavailable']);
    await expect(engine.load('a')).rejects.toMatchObject({ code: 'engine_unavailable' });
    faults.fail = undefined;
    faults.openFails = false;
    expect(summary(await appendedAgain(engine))).toEqual([2]);
  });

  test('forgets what it was told to forget once it works again', async () => {
    const { faults, openStore } = failingStore();
    const { engine } = await stored.open({ sync, openStore });
    const [before] = await engine.append([request('a')]);
    faults.fail = new Error('broken');
    expect(engine.forget('a')).toBe(true);
    expect(summary(await engine.append([request('a')]))).toEqual(['engine_unavailable']);
    faults.fail = undefined;
    const [after] = await appendedAgain(engine);
    expect(after).toMatchObject({ offset: 2, epoch: before?.ok === true && before.epoch });
    expect((await loaded(engine, 'a')).publications.map(({ offset }) => offset)).toEqual([2]);
  });
});

describe('a disk that is nearly full', () => {
  test('fails appends before the store finds it full, loses nothing, and takes them again once there is room', async () => {
    let free = freeMinBytes;
    const { engine, feed } = await stored.open({ freeBytes: () => free });
    expect(summary(await engine.append([request('a')]))).toEqual([1]);
    free--;
    stored.clock.advance(lookEveryMs);
    expect(engine.isAway).toBe(false);
    const [outcome] = await engine.append([request('a')]);
    // Or each publish would be tried for a second.
    expect(engine.isAway).toBe(true);
    expect(outcome).toMatchObject({ ok: false, error: { code: 'engine_unavailable', retry: true } });
    expect(feed.causes.map(({ message } = new Error()) => message)).toEqual([
      'the disk of the data folder is nearly full: 63 MiB are free, and 64 MiB have to be',
    ]);
    expect(offsets(await loaded(engine, 'a'))).toEqual([1]);
    free = freeAgainBytes - 1;
    expect(summary(await appendedAgain(engine))).toEqual(['engine_unavailable']);
    free++;
    expect(summary(await appendedAgain(engine))).toEqual([2]);
    expect([feed.causes.at(-1), engine.isAway]).toEqual([undefined, false]);
  });

  test('is looked at once in a while only', async () => {
    let looks = 0;
    const freeBytes = () => {
      looks++;
      return freeMinBytes;
    };
    const { engine } = await stored.open({ freeBytes });
    for (let i = 0; i < 3; i++) await engine.append([request('a')]);
    expect(looks).toBe(1);
    stored.clock.advance(lookEveryMs);
    await engine.append([request('a')]);
    expect(looks).toBe(2);
  });

  test('has room where the file system does not tell', () => {
    expect(freeBytesOf('/proc')).toBe(Number.POSITIVE_INFINITY);
    expect(freeBytesOf(stored.folder)).toBeGreaterThan(0);
  });
});

test('a store that fails while its file is gone makes no other', async () => {
  const { faults, openStore } = failingStore();
  const { engine } = await stored.open({ openStore });
  await engine.append([request('a')]);
  const data = join(stored.folder, 'data.mdb');
  const failing = engine.append([request('a')]);
  Object.defineProperty(faults, 'fail', {
    get: () => {
      rmSync(data, { force: true });
      return new Error('input/output error');
    },
  });
  expect(summary(await failing)).toEqual(['engine_unavailable']);
  expect(existsSync(data)).toBe(false);
});

describe('a start that fails', () => {
  async function failedStart(more: Parameters<StoredTopics['make']>[0]) {
    await expect(stored.make(more).open(new Feed())).rejects.toThrow('no start');
  }
  const refuse = () => {
    throw new Error('no start');
  };

  test('closes the store whose heads can’t be read, and frees the folder', async () => {
    const first = await stored.open();
    await first.engine.append([request('a')]);
    await first.engine.close();
    let isClosed = false;
    class UnreadableStore extends Store {
      override entries = refuse;
      override async close(): Promise<void> {
        await super.close();
        isClosed = true;
      }
    }
    await failedStart({ openStore: (folder, sync) => new UnreadableStore(folder, sync) });
    expect(isClosed).toBe(true);
    const { engine } = await stored.open();
    expect(summary(await engine.append([request('a')]))).toEqual([2]);
  });

  test('frees the folder also when closing the store fails', async () => {
    const first = await stored.open();
    await first.engine.append([request('a')]);
    await first.engine.close();
    class UnclosableStore extends Store {
      override commit = refuse;
      override async close(): Promise<void> {
        await super.close();
        throw new Error('not closed');
      }
    }
    const openStore = (folder: string, sync: boolean) => new UnclosableStore(folder, sync);
    await failedStart({ openStore, retention: { mode: 'state' } });
    const { engine } = await stored.open();
    expect(summary(await engine.append([request('a')]))).toEqual([2]);
  });
});

describe('an end that fails', () => {
  test.each(['flush', 'close'] as const)(
    'in %s frees the folder, which is not marked clean',
    async (step) => {
      let isClosed = false;
      class FailingStore extends Store {
        override async flush(): Promise<void> {
          if (step === 'flush') throw new Error('no end');
          await super.flush();
        }
        override async close(): Promise<void> {
          await super.close();
          isClosed = true;
          if (step === 'close') throw new Error('no end');
        }
      }
      const engine = stored.make({ openStore: (folder, sync) => new FailingStore(folder, sync) });
      await engine.open(new Feed());
      await engine.append([request('a')]);
      await expect(engine.close()).rejects.toThrow('no end');
      expect(isClosed).toBe(true);
      expect(JSON.parse(readFileSync(join(stored.folder, 'sluice.json'), 'utf8'))).toMatchObject({
        clean: false,
      });
      const next = await stored.open();
      expect(summary(await next.engine.append([request('a')]))).toEqual([2]);
    },
  );
});

test('a file that is lost while the engine starts acknowledges nothing', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const openStore = (folder: string, sync: boolean) => {
    const store = new Store(folder, sync);
    rmSync(join(folder, 'data.mdb'));
    return store;
  };
  const { engine } = await stored.open({ openStore });
  expect(summary(await engine.append([request('a')]))).toEqual(['engine_unavailable']);
  expect(warned).toHaveBeenCalledWith(
    expect.stringContaining('data.mdb was removed'),
    expect.objectContaining({ code: 'SLUICE_DATA_LOST' }),
  );
  warned.mockRestore();
});
