import type Database from 'better-sqlite3'
import { statSync } from 'node:fs'
import { LedgerFault } from '../contracts/ledger.js'
import { machineStart } from '../machine-start.js'
import { GENESIS } from './chain.js'
import { Fence, type FenceNote } from './fence.js'
import { compare, type FenceVerdict } from './fence-verdict.js'
import { checkedWhole, openDatabase, openFault, type OpenOptions } from './open.js'
import { kindOf, storageFault, type StorageFault } from './storage-faults.js'
import { WholeCheck, type Checked } from './whole-check.js'

/** How long after entries the fence follows them, at most. */
const FENCE_MS = 1_000
/** How long after it was put off the whole file is read again. */
const CHECK_AGAIN_MS = 600_000
/** How long after a fault that may pass a write is tried, when no call tries one. */
const TRY_MS = 250

export interface StorageOptions extends OpenOptions {
  /** Told of every transaction that could not be written; `first` when the fault is a new one. */
  readonly onFault?: ((fault: StorageFault, first: boolean) => void) | undefined
  /** Told what the check beside the calls found. */
  readonly onChecked?: ((checked: Checked) => void) | undefined
}

/**
 * The file under the ledger: whether it can be trusted and written, why not, and what follows from that. Everything
 * that happens in it happens in transactions that ask here before and tell here after.
 */
export class Storage {
  readonly db: Database.Database
  readonly file: string
  readonly verdict: FenceVerdict
  /** What the fence said before this start; null when there was none. */
  readonly note: FenceNote | null
  readonly #fence: Fence | null
  readonly #options: StorageOptions
  readonly #head: Database.Statement
  readonly #identity = new Map<string, string>()
  readonly #boots: number
  #fault: StorageFault | null = null
  #fencedAt = -1
  #held: boolean
  #following: NodeJS.Timeout | null = null
  #trying: NodeJS.Timeout | null = null
  #check: WholeCheck | null = null
  /** Another connection of this process is writing. */
  busy = false
  #checked: Checked | null = { verdict: 'sound' }

  /** @throws LedgerFault as `openDatabase` does */
  constructor(file: string, options: StorageOptions = {}) {
    this.file = file
    this.#options = options
    this.#fence = file === ':memory:' ? null : new Fence(file)
    let db: Database.Database | undefined
    try {
      this.note = this.#fence?.read() ?? null
      const later = statSync(file, { throwIfNoEntry: false }) !== undefined && !checkedWhole(file, this.note)
      this.db = db = openDatabase(file, options)
      this.#head = db.prepare('select seq, hash from entries order by seq desc limit 1')
      this.#boots = (this.note?.boots ?? 0) + 1
      this.verdict = compare(db, this.note)
      // What a fence in doubt says stays until the doubt is booked in the ledger itself: see `trusted`.
      this.#held = this.verdict === 'older' || this.verdict === 'other'
      if (this.#fence === null) return
      if (!this.#held) this.#write('open')
      if (later) this.#checkWhole()
    } catch (cause) {
      db?.close()
      throw cause instanceof LedgerFault ? cause : openFault(file, cause as Error)
    }
    this.#following = setInterval(this.#follow, FENCE_MS)
    this.#following.unref()
  }

  /** Why nothing can be written; null when it can, as far as the last attempt showed. */
  get fault(): StorageFault | null {
    return this.#fault
  }

  /** What came of reading the whole file since the start; null while that goes on. */
  get checked(): Checked | null {
    return this.#checked
  }

  /**
   * From now on the fence follows this database, whatever it said before.
   *
   * @throws LedgerFault when that cannot be written
   */
  trusted(): void {
    if (!this.#held) return
    this.#held = false
    this.#write('open')
  }

  /**
   * Asked before each transaction. Writing into a file that has no name any more would succeed, and be lost: so the
   * names are looked at each time (3 µs each, measured 2026-11).
   *
   * @throws StorageFault
   */
  check(): void {
    if (this.#fault?.lasting) throw this.#again(this.#fault)
    if (this.#fence === null) return
    for (const name of [this.file, `${this.file}-wal`]) {
      const found = statSync(name, { throwIfNoEntry: false })
      const identity = found === undefined ? 'none' : `${found.dev}/${found.ino}`
      const known = this.#identity.get(name)
      if (known === undefined && found !== undefined) this.#identity.set(name, identity)
      else if (known !== undefined && known !== identity) throw this.#again(storageFault('vanished'))
    }
  }

  /** Told after each transaction that is on disk. */
  worked(): void {
    if (this.#fault !== null && !this.#fault.lasting) this.#fault = null
  }

  /** Told of what ended a transaction; what its callers are to be told. */
  failed(cause: unknown): LedgerFault {
    // The one that `check` threw.
    if (cause === this.#fault) return this.#fault as LedgerFault
    const kind = kindOf(cause)
    if (kind === null) return new LedgerFault(`The ledger could not write: ${(cause as Error).message}`, { cause })
    return this.#again(storageFault(kind, cause))
  }

  /** Closes the file, whatever state it is in. What could not be written is `reserved` in it, and `assumed` at the next start. */
  async close(): Promise<void> {
    for (const timer of [this.#following, this.#trying]) if (timer !== null) clearInterval(timer)
    this.#check?.stop()
    await this.#fence?.idle()
    if (!this.db.open) return
    const head = this.#fence === null ? null : this.#headOrNull()
    try {
      this.db.pragma('wal_checkpoint(TRUNCATE)')
    } catch (cause) {
      // The log stays beside the file and is read at the next start.
      this.failed(cause)
    }
    this.db.close()
    if (head === null || this.#held) return
    try {
      this.#fence!.write(this.#noteOf(this.#fault === null ? 'closed' : this.#ended(), head))
    } catch (cause) {
      // A full disk has no room for the note either. The one before says less, and nothing that is wrong.
      if (kindOf(cause) === null) throw cause
    }
  }

  #ended(): FenceNote['state'] {
    return this.#fault?.lasting ? 'unsure' : 'open'
  }

  #again(fault: StorageFault): StorageFault {
    const first = this.#fault?.kind !== fault.kind
    if (first) this.#fault = fault
    this.#options.onFault?.(fault, first)
    if (!fault.lasting) this.#tryLater()
    return this.#fault!
  }

  /** Finds out by itself when writing works again, so that readiness tells the truth while nobody calls. */
  #tryLater(): void {
    if (this.#trying !== null) return
    this.#trying = setInterval(() => {
      if (this.#fault === null || this.#fault.lasting || !this.db.open) {
        clearInterval(this.#trying!)
        this.#trying = null
      } else this.#tryNow()
    }, TRY_MS)
    this.#trying.unref()
  }

  /** Room for a whole batch of calls is asked for and given back, each durably. */
  #tryNow(): void {
    if (this.busy) return
    try {
      this.check()
      for (const sql of [TAKE_ROOM, GIVE_ROOM]) {
        this.db.exec('begin immediate')
        this.db.exec(sql)
        this.db.exec('commit')
      }
      this.worked()
    } catch (cause) {
      if (this.db.inTransaction) this.db.exec('rollback')
      const kind = kindOf(cause)
      if (kind !== null && kind !== this.#fault?.kind) this.#again(storageFault(kind, cause))
    }
  }

  #checkWhole(): void {
    if (!this.db.open || this.#fault?.lasting) return
    this.#check = new WholeCheck(this.file, this.db)
    this.#checked = null
    void this.#check.done.then((checked) => {
      this.#check = null
      this.#checked = checked
      if (checked.verdict === 'postponed') setTimeout(() => this.#checkWhole(), CHECK_AGAIN_MS).unref()
      if (checked.verdict === 'damaged') this.#again(storageFault('corrupt', new Error(checked.found)))
      this.#options.onChecked?.(checked)
    })
  }

  readonly #follow = (): void => {
    if (this.#held || this.#fault !== null) return
    const head = this.#headOrNull()
    if (head === null || head.entries === this.#fencedAt) return
    this.#fencedAt = head.entries
    // It is tried again with the next entry; until then the fence is older than the ledger, which is no lie.
    this.#fence!.advance(this.#noteOf('open', head)).catch(() => undefined)
  }

  #write(state: FenceNote['state']): void {
    const head = this.#headOrNull()
    if (head === null) return
    this.#fencedAt = head.entries
    try {
      this.#fence!.write(this.#noteOf(state, head))
    } catch (cause) {
      throw openFault(this.file, cause as Error)
    }
  }

  #noteOf(state: FenceNote['state'], head: Head): FenceNote {
    const closed = state === 'closed' ? statSync(this.file) : null
    return {
      ...head,
      boots: this.#boots,
      state,
      machineStart: machineStart(),
      closed: closed && { bytes: closed.size, changedAt: closed.mtimeMs },
    }
  }

  /** Null when the file cannot be read. */
  #headOrNull(): Head | null {
    try {
      const last = this.#head.get() as { seq: number; hash: string } | undefined
      return { entries: last?.seq ?? 0, hash: last?.hash ?? GENESIS }
    } catch (cause) {
      const kind = kindOf(cause)
      if (kind === null) throw cause
      this.#again(storageFault(kind, cause))
      return null
    }
  }
}

type Head = Pick<FenceNote, 'entries' | 'hash'>

/** 64 KiB under a name that nothing reads. A crash in between leaves it for the next attempt to remove. */
const TAKE_ROOM = `insert into marks (name, seq) values ('room ' || hex(zeroblob(32768)), 0) on conflict do nothing`
const GIVE_ROOM = `delete from marks where name like 'room %'`
