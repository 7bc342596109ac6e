import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DataDir, kernelBootId } from '../../../src/engines/lmdb/data-dir.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { ofTest } from '../../support/opened.ts';
import { newFolder } from '../../support/temporary.ts';
import { summary } from '../../topics/fixtures.ts';
import { loaded, offsets, request, requests, StoredTopics } from './fixtures.ts';

let stored: StoredTopics;
let backup: string;
let warned: string[];
beforeEach(() => {
  stored = ofTest(new StoredTopics());
  backup = newFolder();
  warned = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((_, options) => {
    warned.push((options as unknown as { code: string }).code);
  });
});
afterEach(() => void vi.restoreAllMocks());

const check = () => Promise.resolve();
const copyName = () => join(backup, 'copy');

/** A gateway that publishes, and ends in order. Returns where its topics are. */
async function run(count = 2, sync = false) {
  const { engine } = await stored.open({ check, sync });
  await engine.append([...requests(count, 'a'), request('b')]);
  const { epoch, offset } = await loaded(engine, 'a');
  const ended = { engine: engine.epoch, epoch, offset };
  await engine.close();
  return ended;
}

function copy(from: string, to: string, ...options: string[]): void {
  execFileSync('cp', ['-a', ...options, `${from}/.`, to]);
}

/** What a copy is restored over: files keep their inodes, or get new ones. */
const restores: readonly (readonly [string, () => void])[] = [
  [
    'into a new folder',
    () => {
      rmSync(stored.folder, { recursive: true });
      copy(copyName(), stored.folder);
    },
  ],
  ['over the files', () => copy(copyName(), stored.folder)],
  ['over the files, which are removed first', () => copy(copyName(), stored.folder, '--remove-destination')],
  [
    'by moving it there',
    () => {
      rmSync(stored.folder, { recursive: true });
      renameSync(copyName(), stored.folder);
    },
  ],
];

describe('a copy of the folder that is put back after more was published', () => {
  test.each(restores)('%s: topics and cursors begin anew, contents stay', async (_, restore) => {
    const first = await run();
    copy(stored.folder, copyName());
    const second = await run();
    expect([second.epoch, second.offset]).toEqual([first.epoch, 4]);
    restore();
    const { engine } = await stored.open({ check });
    const topic = await loaded(engine, 'a');
    expect(offsets(topic)).toEqual([1, 2]);
    expect([first.epoch, first.engine]).not.toContain(topic.epoch);
    expect(engine.epoch).not.toBe(first.engine);
    expect((await loaded(engine, 'b')).epoch).not.toBe(topic.epoch);
    expect(summary(await engine.append([request('a')]))).toEqual([3]);
    expect(warned).toEqual(['SLUICE_DATA_COPIED']);
  });

  test.each(restores)('%s: also if it was made while the gateway ran', async (_, restore) => {
    const { engine } = await stored.open({ check });
    await engine.append([request('a')]);
    copy(stored.folder, copyName());
    const { epoch } = await loaded(engine, 'a');
    await engine.append([request('a')]);
    await engine.close();
    restore();
    const next = await stored.open({ check });
    expect((await loaded(next.engine, 'a')).epoch).not.toBe(epoch);
  });

  test('begins anew once, and keeps its numbering from then on', async () => {
    await run();
    copy(stored.folder, copyName());
    await run();
    restores[0]?.[1]();
    const restored = await run(1);
    const next = await run(1);
    expect([next.epoch, next.engine, next.offset]).toEqual([restored.epoch, restored.engine, 4]);
    expect(warned).toHaveLength(1);
  });

  test('is a copy until all its topics have begun anew', async () => {
    await run();
    copy(stored.folder, copyName());
    const { epoch } = await run();
    restores[0]?.[1]();
    let commits = 0;
    class KilledStore extends Store {
      override async commit<T>(work: () => T): Promise<T> {
        if (++commits === 2) throw new Error('killed');
        return super.commit(work);
      }
    }
    const openStore = (folder: string, sync: boolean) => new KilledStore(folder, sync);
    await expect(stored.open({ check, openStore })).rejects.toThrow('killed');
    const { engine } = await stored.open({ check });
    expect((await loaded(engine, 'a')).epoch).not.toBe(epoch);
  });

  test('is checked first', async () => {
    await run();
    copy(stored.folder, copyName());
    await run();
    restores[1]?.[1]();
    const dir = await DataDir.take(stored.folder, 'boot');
    expect([dir.isCopy, dir.needsCheck]).toEqual([true, true]);
    await dir.release(false);
  });
});

describe('the topics keep their epochs', () => {
  test.each<[string, () => void]>([
    ['by a restart', () => undefined],
    [
      'where the folder was moved',
      () => {
        renameSync(stored.folder, `${stored.folder}.moved`);
        renameSync(`${stored.folder}.moved`, stored.folder);
      },
    ],
    [
      'where the owner or the mode of the files was set, as at the start of a container',
      () => {
        for (const name of ['data.mdb', 'sluice.json', 'owner']) chmodSync(join(stored.folder, name), 0o600);
      },
    ],
    [
      'where the copy is of what is there',
      () => {
        copy(stored.folder, copyName());
        copy(copyName(), stored.folder);
      },
    ],
  ])('%s', async (_, change) => {
    const first = await run();
    change();
    const second = await run();
    expect([second.epoch, second.engine, second.offset]).toEqual([first.epoch, first.engine, 4]);
    expect(warned).toEqual([]);
  });

  test.each([false, true])('by a crash (sync: %s)', async (sync) => {
    const { epoch } = await run(1, sync);
    const dir = await DataDir.take(stored.folder, kernelBootId());
    await dir.markWritten(sync);
    await dir.release(false);
    expect((await run(1, sync)).epoch).toBe(epoch);
  });
});

test('a snapshot of a disk can’t be told from a restart: without `owner` its topics begin anew', async () => {
  const { epoch } = await run();
  rmSync(join(stored.folder, 'owner'));
  // Killed while it loads.
  await (await DataDir.take(stored.folder, 'boot')).release(false);
  expect((await run()).epoch).not.toBe(epoch);
});

test('the topics of an earlier version, which did not note its files, begin anew', async () => {
  const { epoch } = await run();
  const path = join(stored.folder, 'sluice.json');
  const { dataFile, markerFile, ...older } = JSON.parse(readFileSync(path, 'utf8'));
  expect([dataFile, markerFile]).toEqual([expect.any(String), expect.any(String)]);
  writeFileSync(path, JSON.stringify(older));
  expect((await run()).epoch).not.toBe(epoch);
});

test('only the data put back under a newer marker is refused: put back the whole folder', async () => {
  await run();
  cpSync(join(stored.folder, 'data.mdb'), join(backup, 'data.mdb'));
  await run();
  cpSync(join(backup, 'data.mdb'), join(stored.folder, 'data.mdb'));
  await expect(stored.open({ check })).rejects.toMatchObject({ code: 'ERR_DATA_DIR_DAMAGED' });
});
