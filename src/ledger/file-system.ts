import { statfsSync, type StatsFs } from 'node:fs'

/**
 * File systems that are not this machine's own, by the magic number statfs(2) gives on Linux (linux/magic.h and the
 * sources of each, 2026-11). SQLite's locks and its log need one kernel that sees every write in order; over these,
 * two servers may both think they own the file, and a log read through a stale cache breaks it. WAL on NFS and on
 * virtiofs was seen to break a database within a minute.
 */
const NETWORKED: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB 2'],
  [0x65735546, 'FUSE or virtiofs'],
  [0x01021997, '9p'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x786f4256, 'a VirtualBox shared folder'],
  [0xbacbacbc, 'a VMware shared folder'],
])

/** What the operating system says about the file system a directory is on. Handed in, so that tests need no such mount. */
export type StatFs = (directory: string) => Pick<StatsFs, 'type' | 'bsize' | 'bavail'>

export interface FileSystem {
  /** The kind of network or shared file system it is; null when it is a local one, or this system does not tell. */
  readonly networked: string | null
  readonly freeBytes: number
}

/** Other systems number their file systems differently or not at all, so only Linux is judged. */
export function fileSystemOf(directory: string, statfs: StatFs = statfsSync): FileSystem {
  const { type, bsize, bavail } = statfs(directory)
  return {
    networked: process.platform === 'linux' ? (NETWORKED.get(type >>> 0) ?? null) : null,
    freeBytes: bsize * bavail,
  }
}
