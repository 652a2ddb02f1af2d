import { LedgerFault } from '../contracts/ledger.js'

/**
 * What can be wrong with the file under the ledger.
 *
 * - `full`, `locked`, `read-only`, `io`: may pass; the ledger goes on by itself as soon as a write succeeds.
 * - `fsync`: the kernel may have dropped what it could not write and forgotten it. What the disk holds is known only
 *   after the file was read whole, so it stays stopped until it is started again, which does that.
 * - `corrupt`, `vanished`: stays stopped. What is there is not what was written, and only a person can say why.
 */
export type StorageFaultKind = 'full' | 'locked' | 'read-only' | 'io' | 'fsync' | 'corrupt' | 'vanished' | 'other'

/** A fault of the file under the ledger, with what to do about it in its message. It names no path: anyone may read it. */
export class StorageFault extends LedgerFault {
  constructor(
    readonly kind: StorageFaultKind,
    message: string,
    /** Whether the ledger stays stopped until it is started again. */
    readonly lasting: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

const SAYS: Readonly<Record<StorageFaultKind, { readonly message: string; readonly lasting: boolean }>> = {
  full: {
    message: 'The disk under the ledger is full. Make room there; calls go on within a second of that.',
    lasting: false,
  },
  locked: {
    message: 'Another process holds the ledger’s file locked. Stop that process; calls go on within a second of that.',
    lasting: false,
  },
  'read-only': {
    message:
      'The ledger’s file cannot be written: it, its directory or its file system is read-only for this user. Make it writable; calls go on within a second of that.',
    lasting: false,
  },
  io: {
    message:
      'The disk under the ledger fails to write. Look at the system’s log and at quotas; calls go on as soon as a write succeeds.',
    lasting: false,
  },
  fsync: {
    message:
      'The disk under the ledger could not make sure of a write (fsync), or could not read. What it holds is not known. Look at the disk, then start the server again: it checks the whole file. «spendgate db check» does so too.',
    lasting: true,
  },
  corrupt: {
    message:
      'The ledger’s file is damaged. Stop the server, look with «spendgate db check», and put a backup back with «spendgate restore FILE».',
    lasting: true,
  },
  vanished: {
    message:
      'The ledger’s file was moved, removed or replaced while the server runs. Stop the server and put it back, or a backup with «spendgate restore FILE».',
    lasting: true,
  },
  other: {
    message: 'The ledger cannot write. See the server’s log; «spendgate db check» looks for the cause.',
    lasting: false,
  },
}

export function storageFault(kind: StorageFaultKind, cause?: unknown): StorageFault {
  const { message, lasting } = SAYS[kind]
  return new StorageFault(kind, message, lasting, { cause })
}

/** What an error of SQLite, or of the file system, says about the file. Null for what is no fault of storage, such as a bug of ours. */
export function kindOf(cause: unknown): StorageFaultKind | null {
  const code = (cause as { code?: unknown } | null)?.code
  if (typeof code !== 'string') return null
  // The index of the log could not be made larger.
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE' || code === 'ENOSPC') return 'full'
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'locked'
  if (code === 'SQLITE_READONLY_DBMOVED') return 'vanished'
  if (code.startsWith('SQLITE_READONLY') || code === 'SQLITE_CANTOPEN' || code === 'EROFS') return 'read-only'
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'SQLITE_IOERR_CORRUPTFS')
    return 'corrupt'
  if (UNSURE.has(code)) return 'fsync'
  if (code.startsWith('SQLITE_IOERR') || code === 'EDQUOT' || code === 'EIO') return 'io'
  return code.startsWith('SQLITE_') && !/^SQLITE_(?:CONSTRAINT|ERROR|MISUSE|MISMATCH|RANGE|TOOBIG)/.test(code)
    ? 'other'
    : null
}

/** After these what the disk holds is not known. */
const UNSURE = new Set([
  'SQLITE_IOERR_FSYNC',
  'SQLITE_IOERR_DIR_FSYNC',
  'SQLITE_IOERR_READ',
  'SQLITE_IOERR_SHORT_READ',
  'SQLITE_IOERR_DATA',
])
