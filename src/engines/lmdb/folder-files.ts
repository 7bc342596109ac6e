/** The files of a data folder, apart from its locks. */
export const dataName = 'data.mdb';
export const markerName = 'sluice.json';
/** lmdb's table of readers. */
export const lockTableName = 'lock.mdb';
/** Holds a random text of the owner. If it changes, another gateway took the folder. */
export const ownerName = 'owner';
/** Data that may be torn. It is kept under this name until the next such case. */
export const setAsideName = 'set-aside.mdb';
