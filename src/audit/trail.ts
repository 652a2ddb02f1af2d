import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Checkpoint } from '../contracts/ledger.js'
import { GENESIS, link } from '../ledger/chain.js'
import { readCheckpoint, signedBy } from '../ledger/checkpoints.js'
import { exportedOf, type Exported } from './lines.js'

const FAULTS_MAX = 100

export interface TrailOptions {
  /** What the lines are called in faults. */
  readonly name: string
  /** Checkpoints that the chain must bear out. */
  readonly checkpoints?: readonly Checkpoint[]
  /** By key id. Without any, signatures are not checked. */
  readonly publicKeys?: Readonly<Record<string, string>>
}

export interface Verified {
  readonly faults: readonly string[]
  readonly entries: number
  readonly first: number
  readonly last: number
  /** The hash of the last entry. */
  readonly head: string
  /** How many of the checkpoints given have their entry in the trail, and are borne out by it. */
  readonly checkpoints: number
}

/**
 * Checks entries by their own arithmetic, in the form of an export or of an archive, and holds checkpoints against
 * them: a chain alone shows neither that its end was cut off nor that it was written anew. Memory does not grow with
 * the number of lines.
 */
export class Trail {
  readonly #name: string
  readonly #keys: Readonly<Record<string, string>> | null
  readonly #checkpoints: readonly Checkpoint[]
  readonly #faults: string[] = []
  /** The next checkpoint to be borne out. */
  #at = 0
  #proved = 0
  #line = 0
  #entries = 0
  #first = 0
  #next = 0
  #head = GENESIS
  /** The first entry when something came before it: what it follows is yet to be learnt. */
  #follows: Exported | null = null

  constructor({ name, checkpoints = [], publicKeys = {} }: TrailOptions) {
    this.#name = name
    this.#keys = Object.keys(publicKeys).length === 0 ? null : publicKeys
    this.#checkpoints = [...checkpoints].sort((a, b) => a.seq - b.seq)
    for (const checkpoint of this.#checkpoints) this.#checkSignature(checkpoint, 'The checkpoint')
  }

  add(line: string): void {
    this.#line += 1
    const where = `${this.#name}:${this.#line}`
    const value = parsed(line)
    const entry = exportedOf(value)
    if (entry !== null) return this.#addEntry(entry, where)
    const { checkpoint: signed, call, approval } = value ?? {}
    const checkpoint = readCheckpoint(signed)
    if (checkpoint !== null) return this.#addCheckpoint(checkpoint, where)
    // Rows of an archive stand beside the chain: the digest of the whole file in the entry that pruned speaks for them.
    if (call === undefined && approval === undefined) this.#fault(`${where} is no entry of an audit export.`)
  }

  close(): Verified {
    if (this.#entries === 0) this.#fault(`${this.#name} is empty.`)
    if (this.#follows !== null)
      this.#fault(`${this.#name} begins with entry ${this.#first}, and nothing in it says what came before.`)
    for (; this.#at < this.#checkpoints.length; this.#at++) {
      const { seq, at } = this.#checkpoints[this.#at]!
      if (seq > this.#next - 1)
        this.#fault(`Entries ${this.#next} to ${seq} are missing at the end: they were signed at ${instant(at)}.`)
    }
    return {
      faults: this.#faults,
      entries: this.#entries,
      first: this.#first,
      last: Math.max(this.#next - 1, 0),
      head: this.#head,
      checkpoints: this.#proved,
    }
  }

  #addEntry(entry: Exported, where: string): void {
    const { seq, hash } = entry
    this.#entries += 1
    if (this.#entries === 1) this.#begin(entry)
    else if (seq !== this.#next) this.#fault(`${where} is entry ${seq}: entries before it are missing or out of order.`)
    if (this.#follows !== entry && link(this.#head, entry) !== hash)
      this.#fault(`${where} entry ${seq} does not match its hash: it, or one before it, was changed.`)
    // After a fault the chain goes on from what the entry claims: each break is named once.
    this.#head = hash
    this.#next = seq + 1
    if (entry.kind === 'pruned') this.#learn(parsed(entry.detail) ?? {})
    this.#hold(seq, hash)
  }

  /** Before the first entry stands nothing, or a checkpoint: that of an archive, or one that somebody kept. */
  #begin(entry: Exported): void {
    this.#first = entry.seq
    if (entry.seq === 1 || this.#next === entry.seq) return
    const kept = this.#checkpoints.find(({ seq }) => seq === entry.seq - 1)
    if (kept === undefined) this.#follows = entry
    else this.#head = kept.head
  }

  /** The entry that pruned says what the first entry left follows. */
  #learn({ to, hash }: Readonly<Record<string, unknown>>): void {
    const first = this.#follows
    if (first === null || to !== first.seq - 1 || typeof hash !== 'string') return
    this.#follows = null
    if (link(hash, first) !== first.hash)
      this.#fault(`${this.#name} entry ${first.seq} does not follow the last one that was pruned.`)
  }

  #addCheckpoint(checkpoint: Checkpoint, where: string): void {
    this.#checkSignature(checkpoint, where)
    if (this.#entries === 0) {
      this.#next = checkpoint.seq + 1
      this.#head = checkpoint.head
    } else if (checkpoint.seq !== this.#next - 1 || checkpoint.head !== this.#head)
      this.#fault(`${where} signs entry ${checkpoint.seq}, which is not the one before it.`)
  }

  #hold(seq: number, hash: string): void {
    for (; this.#at < this.#checkpoints.length && this.#checkpoints[this.#at]!.seq <= seq; this.#at++) {
      const checkpoint = this.#checkpoints[this.#at]!
      if (checkpoint.seq < seq) continue
      if (checkpoint.head === hash) this.#proved += 1
      else
        this.#fault(
          `Entry ${seq} is not the one that was signed at ${instant(checkpoint.at)}: history up to it was rewritten.`,
        )
    }
  }

  #checkSignature(checkpoint: Checkpoint, where: string): void {
    if (this.#keys === null) return
    const key = this.#keys[checkpoint.keyId]
    if (key === undefined)
      this.#fault(`${where} at entry ${checkpoint.seq} is signed by an unknown key (${checkpoint.keyId}).`)
    else if (!signedBy(key, checkpoint))
      this.#fault(`${where} at entry ${checkpoint.seq} has a signature that is not of its key.`)
  }

  #fault(text: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(text)
  }
}

/** Checks a file line by line. Rejects as reading it does. */
export async function checkTrail(path: string, options: TrailOptions): Promise<Verified> {
  const trail = new Trail(options)
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) trail.add(line)
  return trail.close()
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  try {
    return (JSON.parse(line) ?? {}) as Readonly<Record<string, unknown>>
  } catch {
    return null
  }
}

const instant = (ms: number): string => new Date(ms).toISOString()
