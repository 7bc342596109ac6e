import { statfsSync } from 'node:fs';

/**
 * File systems on which two gateways could own one data folder, or on which a memory map does not see what another machine
 * writes. Numbers: linux/magic.h and the file systems' own headers, as statfs(2) gives them.
 */
const unsafe: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x786f4256, 'a folder shared by VirtualBox'],
  [0xbacbacbc, 'a folder shared by VMware'],
  // Without sockets:
  [0x4d44, 'FAT'],
  [0x2011bab0, 'exFAT'],
  [0x5346544e, 'NTFS'],
  [0x7366746e, 'NTFS'],
]);

/** The name of the file system of this folder, if a data folder is not safe there. */
export function unsafeFileSystem(
  folder: string,
  typeOf: (folder: string) => number = fileSystemType,
): string | undefined {
  return unsafe.get(typeOf(folder) >>> 0);
}

/** Other systems number theirs otherwise; 0: unknown. */
function fileSystemType(folder: string): number {
  return process.platform === 'linux' ? Number(statfsSync(folder).type) : 0;
}
