/** The files of a data folder, apart from its locks. */
export const dataName = 'data.mdb';
export const markerName = 'sluice.json';
/** lmdb's table of readers. */
export const lockTableName = 'lock.mdb';
/** Holds a random text of the owner. A changed text means that another gateway took the folder. */
export const ownerName = 'owner';
/** Data that may be corrupt after a crash of the machine, kept until the next such case. */
export const setAsideName = 'set-aside.mdb';
