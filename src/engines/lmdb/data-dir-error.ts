import { markerName } from './folder-files.ts';

export type DataDirCode =
  | 'ERR_DATA_DIR_IN_USE'
  | 'ERR_DATA_DIR_FORMAT'
  | 'ERR_DATA_DIR_FOREIGN'
  | 'ERR_DATA_DIR_FILE_SYSTEM'
  | 'ERR_DATA_DIR_DAMAGED';

/** Why a gateway does not start on this data folder. */
export class DataDirError extends Error {
  readonly code: DataDirCode;

  constructor(code: DataDirCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DataDirError';
    this.code = code;
  }
}

/** The error of a start with a damaged file, or of a topic that can't be read. */
export function damagedData(file: string, how: string, cause?: unknown): DataDirError {
  return new DataDirError(
    'ERR_DATA_DIR_DAMAGED',
    `${file} is damaged: ${how}. Put back a copy of the folder, or move it away and remove ${markerName} to begin anew`,
    cause,
  );
}

/**
 * Whether the error means that the store is damaged: a wrong checksum, or an error of lmdb (lmdb.h, from MDB_KEYEXIST
 * on).
 */
export function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return code === 'ERR_DATA_DIR_DAMAGED' || (typeof code === 'number' && code <= -30_780 && code >= -30_799);
}
