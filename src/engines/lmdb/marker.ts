import { type BigIntStats, existsSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFile } from '../../regular-file.ts';
import { DataDirError } from './data-dir-error.ts';
import { dataName, markerName, ownerName, setAsideName } from './folder-files.ts';

/** Version of the folder's files and of the marker. */
const formatVersion = 2;

/** How the last gateway left the folder. */
export interface Marker {
  readonly format: number;
  /** It ended in order, with everything on disk. */
  readonly clean: boolean;
  /** It acknowledged only what was on disk. */
  readonly synced: boolean;
  /** Boot id of the kernel on which it ran. */
  readonly bootId: string;
  /** Something was stored, so data.mdb must exist. */
  readonly holdsData: boolean;
  /** After a clean end: size and time of change of data.mdb, and its newest commit. */
  readonly data?: string;
  readonly seq?: number;
  /** Which file data.mdb is; absent: the epochs in it may be those of another folder. */
  readonly dataFile?: string;
  /** Which file the marker itself is. */
  readonly markerFile?: string;
}

/** Whether the data may be corrupt, because it was not on disk when the machine crashed. */
export function isUntrusted({ holdsData, clean, synced, bootId }: Marker, now: string): boolean {
  return holdsData && !clean && !synced && (now === '' || bootId !== now);
}

/**
 * Whether the data may be a copy, so that other publications may have followed it under the same epochs. Each gateway
 * that stores something leaves a new marker, so an older one is a copy too, wherever it was put back. False: the files
 * are those that the last gateway left; or a snapshot of the whole disk, whose operator has to remove `owner`; or
 * data.mdb alone was overwritten after a crash, which keeps its inode.
 */
export function mayBeCopy(path: string, marker: Marker): boolean {
  const { holdsData, clean, data, dataFile, markerFile } = marker;
  if (!holdsData) return false;
  const dataPath = join(path, dataName);
  if (dataFile === undefined || dataFile !== fileAt(dataPath)) return true;
  if (markerFile !== fileAt(join(path, markerName))) return true;
  return (clean && data !== stateOf(dataPath)) || !existsSync(join(path, ownerName));
}

/** Size and time of change. */
export function stateOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats && `${stats.size} ${stats.mtimeNs}`;
}

/** Which file this is. Stays the same when the file is moved or its disk gets another number, but not in a copy. */
export function fileAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats && fileOf(stats);
}

/** The time of creation is 0 where the file system has none. */
function fileOf({ ino, birthtimeNs }: BigIntStats): string {
  return `${ino} ${birthtimeNs}`;
}

/**
 * Resolves with undefined for a new folder. Rejects if the folder is not Sluice's, has another format, or lacks its
 * data.
 */
export async function readMarker(path: string, bootId: string): Promise<Marker | undefined> {
  const data = join(path, dataName);
  const size = statSync(data, { throwIfNoEntry: false })?.size;
  const text = textOf(join(path, markerName));
  if (text === undefined) {
    if (size === undefined) return undefined;
    throw new DataDirError('ERR_DATA_DIR_FOREIGN', `${path} holds ${dataName}, but not of Sluice`);
  }
  const marker = parseMarker(text);
  if (marker === undefined)
    throw new DataDirError('ERR_DATA_DIR_FOREIGN', `${join(path, markerName)} is not of Sluice`);
  if (marker.format !== formatVersion)
    throw new DataDirError(
      'ERR_DATA_DIR_FORMAT',
      `${path} has the format version ${marker.format}; this version of Sluice reads ${formatVersion}`,
    );
  // A crash of the machine may leave an empty file; a gateway that was killed while it set the file aside leaves none.
  const mayLack = isUntrusted(marker, bootId) && (size === 0 || existsSync(join(path, setAsideName)));
  if (marker.holdsData && (size ?? 0) === 0 && !mayLack) throw lacksData(path, size);
  return marker;
}

/** Resolves when it is on disk. A crash of the machine meanwhile leaves the whole old or the whole new marker. */
export async function writeMarker(path: string, state: Omit<Marker, 'format' | 'markerFile'>): Promise<void> {
  const next = join(path, `${markerName}.next`);
  // Of a gateway that was killed: each marker is a new file.
  await rm(next, { force: true });
  const file = await open(next, 'wx');
  try {
    const markerFile = fileOf(await file.stat({ bigint: true }));
    const marker: Marker = { ...state, format: formatVersion, markerFile };
    await file.writeFile(`${JSON.stringify(marker)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, join(path, markerName));
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function textOf(path: string): string | undefined {
  try {
    return readRegularFile(path).toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseMarker(text: string): Marker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<Marker> | null;
    return typeof marker?.format === 'number' ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

function lacksData(path: string, size: number | undefined): DataDirError {
  const file = `${join(path, dataName)} is ${size === undefined ? 'missing' : 'empty'}`;
  const remedy = `put it back, or remove ${join(path, markerName)} to begin anew`;
  return new DataDirError('ERR_DATA_DIR_DAMAGED', `${file}, though topics were stored in it: ${remedy}`);
}
