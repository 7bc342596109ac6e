import { readFileSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { ofTest } from '../../support/opened.ts';
import { failingStore, request, StoredTopics } from './fixtures.ts';

let stored: StoredTopics;
beforeEach(() => {
  stored = ofTest(new StoredTopics());
});
afterEach(() => void vi.restoreAllMocks());

function marker(): { clean: boolean; synced: boolean; bootId: string; holdsData: boolean } {
  return JSON.parse(readFileSync(join(stored.folder, 'sluice.json'), 'utf8'));
}

/** Notes each fsync: of which file, and what the marker said of the data then. */
async function recordSyncs() {
  const handle = await open(stored.folder, 'r');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { sync } = prototype;
  const syncs: [file: string, clean: boolean, synced: boolean][] = [];
  vi.spyOn(prototype, 'sync').mockImplementation(function (this: FileHandle) {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`);
    const { clean, synced } = marker();
    syncs.push([path === stored.folder ? 'the folder' : basename(path), clean, synced]);
    return sync.call(this);
  });
  return syncs;
}

/** Notes what is done with the store, in order. */
function recordingStore() {
  const calls: string[] = [];
  class RecordingStore extends Store {
    override async commit<T>(work: () => T): Promise<T> {
      calls.push('commit');
      const result = await super.commit(work);
      calls.push('committed');
      return result;
    }
    override flush(): Promise<void> {
      calls.push('flush');
      return super.flush();
    }
    override close(): Promise<void> {
      calls.push('close');
      return super.close();
    }
  }
  return { calls, openStore: (folder: string, sync: boolean) => new RecordingStore(folder, sync) };
}

describe.runIf(process.platform === 'linux')('what the marker says is on the disk before it is said', () => {
  test('that the data is whole: at the end', async () => {
    const { engine } = await stored.open();
    await engine.append([request('a')]);
    const syncs = await recordSyncs();
    await engine.close();
    expect(syncs).toEqual([
      ['data.mdb', false, false],
      ['sluice.json.next', false, false],
      ['the folder', true, false],
    ]);
  });

  test('that the data is synced: before the first commit', async () => {
    const first = await stored.open();
    await first.engine.append([request('a')]);
    await first.engine.close();
    const { calls, openStore } = recordingStore();
    const { engine } = await stored.open({ sync: true, openStore });
    const syncs = await recordSyncs();
    await engine.append([request('a')]);
    expect(syncs).toEqual([
      ['data.mdb', true, false],
      ['sluice.json.next', true, false],
      ['the folder', false, true],
    ]);
    expect(calls).toEqual(['flush', 'commit', 'committed']);
  });

  test('that there may be torn data: before the first commit, and once', async () => {
    const { calls, openStore } = recordingStore();
    const { engine } = await stored.open({ openStore });
    const syncs = await recordSyncs();
    await engine.append([request('a')]);
    await engine.append([request('a')]);
    expect(syncs).toEqual([
      ['sluice.json.next', true, false],
      ['the folder', false, false],
    ]);
    expect(calls).toEqual(['commit', 'committed', 'commit', 'committed']);
  });
});

describe('close', () => {
  test.each([false, true])('waits for the transaction under way (sync: %s)', async (sync) => {
    const { calls, openStore } = recordingStore();
    const { engine, feed } = await stored.open({ sync, openStore });
    await engine.append([request('a')]);
    calls.length = 0;
    const append = engine.append([request('a')]);
    await engine.close();
    expect(calls).toEqual(['commit', 'committed', 'flush', 'close']);
    expect([await append, feed.fed.length]).toMatchObject([[{ ok: true, offset: 2 }], 2]);
    expect(marker()).toMatchObject({ clean: true, seq: 2 });
  });

  test('does not call the data of a store whole that could not be opened again', async () => {
    let isBroken = false;
    class FailingStore extends Store {
      override async commit<T>(work: () => T): Promise<T> {
        if (isBroken) throw new Error('broken');
        return super.commit(work);
      }
    }
    const openStore = (folder: string, sync: boolean): Store => {
      if (isBroken) throw new Error('cannot be opened');
      return new FailingStore(folder, sync);
    };
    const { engine } = await stored.open({ openStore });
    await engine.append([request('a')]);
    isBroken = true;
    expect(await engine.append([request('a')])).toMatchObject([{ ok: false }]);
    await engine.close();
    expect(marker().clean).toBe(false);
  });

  test('does not call a file whole that replaced its own', async () => {
    const { engine } = await stored.open();
    await engine.append([request('a')]);
    const data = join(stored.folder, 'data.mdb');
    const bytes = readFileSync(data);
    renameSync(data, `${data}.away`);
    writeFileSync(data, bytes);
    await engine.close();
    expect(marker().clean).toBe(false);
  });

  test('does not write the marker of a gateway that took the folder', async () => {
    const { engine } = await stored.open();
    await engine.append([request('a')]);
    writeFileSync(join(stored.folder, 'owner'), 'another');
    await engine.close();
    expect(marker().clean).toBe(false);
  });
});

describe.each([false, true])('the marker of the folder (sync: %s)', (sync) => {
  /** What the marker said at each step of the store. */
  function markingStore() {
    const steps: unknown[] = [];
    const note = (step: string) => {
      const { clean, synced, holdsData } = marker();
      steps.push([step, { clean, synced, holdsData }]);
    };
    class MarkingStore extends Store {
      override async commit<T>(work: () => T): Promise<T> {
        note('commit');
        const result = await super.commit(work);
        note('committed');
        return result;
      }
      override async flush(): Promise<void> {
        await super.flush();
        note('flushed');
      }
    }
    return { steps, openStore: (folder: string, to: boolean) => new MarkingStore(folder, to) };
  }

  test('says what is on the disk only after the flush', async () => {
    const { steps, openStore } = markingStore();
    const { engine } = await stored.open({ sync, openStore });
    await engine.append([request('a')]);
    await engine.close();
    const began = { clean: true, synced: false, holdsData: false };
    const marked = { clean: false, synced: sync, holdsData: true };
    expect(steps).toEqual([
      ...(sync ? [['flushed', began]] : []),
      ['commit', marked],
      ['committed', marked],
      ['flushed', marked],
    ]);
    expect(marker()).toMatchObject({ clean: true, holdsData: true });
  });

  test('does not say that a store that can’t be opened again is in order', async () => {
    const { faults, openStore } = failingStore();
    const { engine } = await stored.open({ sync, openStore });
    await engine.append([request('a')]);
    faults.fail = new Error('broken');
    faults.openFails = true;
    await engine.append([request('a')]);
    await engine.close();
    expect(marker()).toMatchObject({ clean: false, holdsData: true });
  });
});

test('a file that can’t be looked at any more is lost: publishes fail, and the gateway goes on', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const { engine, feed } = await stored.open();
  await engine.append([request('a')]);
  const data = join(stored.folder, 'data.mdb');
  renameSync(data, `${data}.away`);
  symlinkSync('data.mdb', data);
  expect(await engine.append([request('a')])).toMatchObject([
    { ok: false, error: { code: 'engine_unavailable' } },
  ]);
  expect(feed.causes).toMatchObject([{ message: expect.stringContaining(data) }]);
  expect(warned).toHaveBeenCalledWith(
    expect.stringContaining(data),
    expect.objectContaining({ code: 'SLUICE_DATA_LOST' }),
  );
});
