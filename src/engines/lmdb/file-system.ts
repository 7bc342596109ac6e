import { statfsSync } from 'node:fs';

/**
 * File systems on which two gateways could own one data folder, or a memory map does not show what another machine
 * writes. Numbers as statfs(2) returns them: linux/magic.h, and what coreutils' stat.c calls remote.
 */
const unsafe: ReadonlyMap<number, string> = new Map([
  [0x61636673, 'ACFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x19830326, 'BeeGFS'],
  [0x00c36400, 'Ceph'],
  [0xff534d42, 'CIFS'],
  [0x73757245, 'Coda'],
  [0x65735546, 'FUSE'],
  [0x01161970, 'GFS2'],
  [0x47504653, 'GPFS'],
  [0x00c0ffee, 'a folder of the host of User Mode Linux'],
  [0x013111a8, 'IBRIX'],
  [0x0bd00bd0, 'Lustre'],
  [0x564c, 'NCP'],
  [0x6969, 'NFS'],
  [0x01021997, '9P'],
  [0x7461636f, 'OCFS2'],
  [0x20030528, 'OrangeFS'],
  [0xaad7aaea, 'PanFS'],
  [0x7c7c6673, 'a folder shared by Parallels'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xbeefdead, 'StorNext'],
  [0x786f4256, 'a folder shared by VirtualBox'],
  [0xbacbacbc, 'a folder shared by VMware'],
  [0xa501fcf5, 'VxFS'],
  // Without sockets:
  [0x4d44, 'FAT'],
  [0x2011bab0, 'exFAT'],
  [0x4244, 'HFS'],
  [0x5346544e, 'NTFS'],
  [0x7366746e, 'NTFS'],
]);

/** Returns the name of this folder's file system, if a data folder is not safe there. */
export function unsafeFileSystem(
  folder: string,
  typeOf: (folder: string) => number = fileSystemType,
): string | undefined {
  return unsafe.get(typeOf(folder) >>> 0);
}

/** Returns 0 (unknown) on other systems, which use other numbers. */
function fileSystemType(folder: string): number {
  return process.platform === 'linux' ? Number(statfsSync(folder).type) : 0;
}
