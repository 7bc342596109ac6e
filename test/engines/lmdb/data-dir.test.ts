import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { DataDir } from '../../../src/engines/lmdb/data-dir.ts';
import { Store } from '../../../src/engines/lmdb/store.ts';
import { newFolder } from '../../support/temporary.ts';

let folder: string;
beforeEach(() => {
  folder = join(newFolder(), 'data.d');
});

/** A gateway that was here and ended in this way. */
async function left({ sync, clean, bootId }: { sync: boolean; clean: boolean; bootId: string }) {
  const dir = await DataDir.take(folder, bootId);
  await new Store(folder, sync).close();
  await dir.markWritten(sync);
  await dir.release(clean);
}

describe('the data folder', () => {
  test('is made, with the folders above it', async () => {
    folder = join(folder, 'a', 'b');
    const dir = await DataDir.take(folder, 'boot');
    expect([dir.wasSetAside, existsSync(folder)]).toEqual([false, true]);
    await dir.release(true);
  });

  test('is taken by one at a time', async () => {
    const dir = await DataDir.take(folder, 'boot');
    await expect(DataDir.take(folder, 'boot')).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_IN_USE',
      message: expect.stringContaining(folder),
    });
    await dir.release(true);
    await (await DataDir.take(folder, 'boot')).release(true);
  });

  test('of a newer format is refused, and left as it is', async () => {
    await left({ sync: false, clean: true, bootId: 'boot' });
    const newer = '{"format":3,"clean":true}';
    writeFileSync(join(folder, 'sluice.json'), newer);
    await expect(DataDir.take(folder, 'boot')).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_FORMAT',
      message: expect.stringMatching(/format version 3; this version of Sluice reads 2/),
    });
    expect(readFileSync(join(folder, 'sluice.json'), 'utf8')).toBe(newer);
  });

  test.each(['no JSON', 'null', '{}'])(
    'with a marker that is not of Sluice (%s) is refused',
    async (text) => {
      mkdirSync(folder);
      writeFileSync(join(folder, 'sluice.json'), text);
      await expect(DataDir.take(folder, 'boot')).rejects.toMatchObject({
        code: 'ERR_DATA_DIR_FOREIGN',
      });
    },
  );

  test('with the database of another program is refused', async () => {
    await new Store(folder, true).close();
    await expect(DataDir.take(folder, 'boot')).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_FOREIGN',
    });
  });

  test.each([
    ['ended in order', { sync: false, clean: true, bootId: 'before' }],
    ['crashed on the running kernel', { sync: false, clean: false, bootId: 'now' }],
    ['crashed with its machine, but had synced', { sync: true, clean: false, bootId: 'before' }],
  ])('is trusted when the last gateway %s', async (_, last) => {
    await left(last);
    const dir = await DataDir.take(folder, 'now');
    expect([dir.wasSetAside, existsSync(join(folder, 'data.mdb'))]).toEqual([false, true]);
    await dir.release(true);
  });

  test('is begun anew when the last gateway crashed with its machine and had not synced', async () => {
    await left({ sync: false, clean: false, bootId: 'before' });
    const dir = await DataDir.take(folder, 'now');
    expect(dir.wasSetAside).toBe(true);
    expect(existsSync(join(folder, 'data.mdb'))).toBe(false);
    expect(existsSync(join(folder, 'set-aside.mdb'))).toBe(true);
    await dir.release(true);
  });

  test.each([
    ['set aside', false],
    ['trusted', true],
  ])(
    'that was not flushed is %s after a crash of the machine unless it was marked (%s)',
    async (_, marked) => {
      await left({ sync: false, clean: false, bootId: 'first' });
      const dir = await DataDir.take(folder, 'first');
      if (marked) await dir.markWritten(true);
      await dir.release(false);
      const next = await DataDir.take(folder, 'second');
      expect(next.wasSetAside).toBe(!marked);
      await next.release(true);
    },
  );

  test('is as it was after a gateway that stored nothing, however it ended', async () => {
    await left({ sync: false, clean: true, bootId: 'before' });
    // Killed while it loads.
    await (await DataDir.take(folder, 'before')).release(false);
    const dir = await DataDir.take(folder, 'now');
    expect([dir.wasSetAside, dir.needsCheck]).toEqual([false, false]);
    await dir.release(true);
  });

  test.each([
    ['removed', () => rmSync(join(folder, 'data.mdb')), 'is missing'],
    ['emptied', () => writeFileSync(join(folder, 'data.mdb'), ''), 'is empty'],
  ])('whose data was %s is refused', async (_, damage, how) => {
    await left({ sync: false, clean: true, bootId: 'boot' });
    damage();
    await expect(DataDir.take(folder, 'boot')).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_DAMAGED',
      message: expect.stringMatching(new RegExp(`data.mdb ${how}.*remove`)),
    });
  });

  test('is begun anew also when the last gateway was killed while it set the data aside', async () => {
    await left({ sync: false, clean: false, bootId: 'before' });
    renameSync(join(folder, 'data.mdb'), join(folder, 'set-aside.mdb'));
    const dir = await DataDir.take(folder, 'now');
    expect([dir.wasSetAside, existsSync(join(folder, 'set-aside.mdb'))]).toEqual([true, true]);
    await dir.release(true);
    const next = await DataDir.take(folder, 'now');
    expect(next.wasSetAside).toBe(false);
    await next.release(true);
  });

  test('is begun anew when a crash of the machine left an empty file', async () => {
    await left({ sync: false, clean: false, bootId: 'before' });
    writeFileSync(join(folder, 'data.mdb'), '');
    const dir = await DataDir.take(folder, 'now');
    expect(dir.wasSetAside).toBe(true);
    await dir.release(true);
  });

  test('whose data is gone after a crash of the machine, and was not set aside, is refused', async () => {
    await left({ sync: false, clean: false, bootId: 'before' });
    rmSync(join(folder, 'data.mdb'));
    await expect(DataDir.take(folder, 'now')).rejects.toMatchObject({ code: 'ERR_DATA_DIR_DAMAGED' });
  });

  test('that never held data may have none', async () => {
    await (await DataDir.take(folder, 'boot')).release(true);
    await (await DataDir.take(folder, 'boot')).release(true);
  });

  test.each([
    ['an unclean end', { sync: false, clean: false, bootId: 'boot' }, () => undefined, true],
    ['a clean end', { sync: false, clean: true, bootId: 'boot' }, () => undefined, false],
    [
      'a change of the file',
      { sync: false, clean: true, bootId: 'boot' },
      () => writeFileSync(join(folder, 'data.mdb'), readFileSync(join(folder, 'data.mdb'))),
      true,
    ],
  ])('after %s is looked at before it is used, or not', async (_, last, change, isLookedAt) => {
    await left(last);
    change();
    const dir = await DataDir.take(folder, 'boot');
    expect(dir.needsCheck).toBe(isLookedAt);
    await dir.release(false);
  });

  test.each([
    [0x6969, 'NFS'],
    [0x65735546, 'FUSE'],
    [0x2011bab0, 'exFAT'],
    [0x19830326, 'BeeGFS'],
    [0x20030528, 'OrangeFS'],
    [0x0bd00bd0, 'Lustre'],
    [0x47504653, 'GPFS'],
    [0x5346414f, 'AFS'],
    [0x6b414653, 'AFS'],
    [0x73757245, 'Coda'],
    [0x7461636f, 'OCFS2'],
    [0x01161970, 'GFS2'],
    [0x00c36400, 'Ceph'],
    [0x01021997, '9P'],
    // As statfs(2) returns it where its type has 32 bits.
    [0xff534d42 | 0, 'CIFS'],
    [0xaad7aaea, 'PanFS'],
  ])(
    'on a file system that has no one owner (%d) is refused, unless an option says otherwise',
    async (type, name) => {
      const fileSystemType = () => type;
      await expect(DataDir.take(folder, 'boot', { fileSystemType })).rejects.toMatchObject({
        code: 'ERR_DATA_DIR_FILE_SYSTEM',
        message: expect.stringMatching(new RegExp(`${folder} is on ${name}.*--any-file-system`)),
      });
      const dir = await DataDir.take(folder, 'boot', { fileSystemType, anyFileSystem: true });
      await dir.release(true);
    },
  );

  test('notices that another gateway took it', async () => {
    const dir = await DataDir.take(folder, 'boot');
    expect(await dir.lostOwnership()).toBeUndefined();
    writeFileSync(join(folder, 'owner'), 'another');
    expect((await dir.lostOwnership())?.message).toContain(folder);
    await dir.release(false);
  });

  test('notices that it is gone, or was replaced', async () => {
    const dir = await DataDir.take(folder, 'boot');
    const away = `${folder}.away`;
    renameSync(folder, away);
    expect((await dir.lostOwnership())?.message).toContain(join(folder, 'owner'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'owner'), readFileSync(join(away, 'owner')));
    expect((await dir.lostOwnership())?.message).toContain(folder);
    await dir.release(false);
  });
});

test('the engine says that it began anew', async () => {
  const { LmdbEngine } = await import('../../../src/engines/lmdb/engine.ts');
  const { Feed, request, retention } = await import('./fixtures.ts');
  const make = (bootId: string) =>
    new LmdbEngine({
      dataDir: folder,
      sync: false,
      bootId,
      historyMaxBytes: 1e9,
      retention: () => retention,
    });
  await left({ sync: false, clean: false, bootId: 'before' });
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const engine = make('now');
  await engine.open(new Feed());
  expect(warned).toHaveBeenCalledWith(
    expect.stringContaining(folder),
    expect.objectContaining({ code: 'SLUICE_DATA_SET_ASIDE' }),
  );
  warned.mockRestore();
  expect(await engine.append([request('a')])).toMatchObject([{ offset: 1 }]);
  await engine.close();
});
