import type { EntryRow } from '../contracts/ledger.js'
import { usd } from '../contracts/money.js'
import { ApprovalProof } from './approval-proof.js'
import { GENESIS, link } from './chain.js'
import { CommitmentProof } from './commitment-proof.js'
import { ExposureProof } from './exposure-proof.js'
import { callId } from './ids.js'
import { MovementProof } from './movement-proof.js'
import { ResolutionProof } from './resolution-proof.js'
import { RowProof } from './row-proof.js'
import { readSaid, type Said } from './said.js'
import { SettingProof } from './setting-proof.js'

/** A row of `entries`, read with safe integers. */
export interface Entry {
  readonly seq: bigint
  readonly at: bigint
  readonly kind: string
  readonly call_seq: bigint | null
  readonly amount: bigint
  readonly detail: string
  readonly hash: string
}

export const entryRowOf = (entry: Entry): EntryRow => ({
  seq: Number(entry.seq),
  at: Number(entry.at),
  kind: entry.kind,
  callId: entry.call_seq === null ? null : callId(Number(entry.call_seq)),
  amount: usd(entry.amount),
  detail: entry.detail,
  hash: entry.hash,
})

/** A call as its entries make it. */
export interface Projected {
  readonly state: string
  readonly reserved: bigint
  readonly settled: bigint
  readonly counters: readonly number[]
}

/** Where a chain begins: after this entry, with this hash. */
export interface Start {
  readonly seq: number
  readonly hash: string
}

/** The chain of a ledger that was never pruned. */
export const BEGINNING: Start = { seq: 0, hash: GENESIS }

/**
 * What the tables must be, made from the entries alone and in their order. Finds on the way what no honest ledger
 * writes: a broken chain, an outcome of a call that was never admitted.
 */
export class Replay {
  readonly calls = new Map<number, Projected>()
  readonly counters = new Map<number, { readonly spent: bigint; readonly held: bigint }>()
  /** Which counter is called what and of which window: `{"id":…,"counter":…,"window":…}`. */
  readonly made = new Set<string>()
  readonly commitments: CommitmentProof
  readonly approvals = new ApprovalProof()
  readonly movements: MovementProof
  readonly exposures = new ExposureProof()
  readonly rows = new RowProof()
  readonly resolutions = new ResolutionProof()
  readonly settings = new SettingProof()
  /** What the last entry says that history was pruned with. */
  pruned: Said | null = null
  readonly #start: Start
  readonly #fault: (text: string) => void
  #next: number
  #head: string

  constructor(start: Start, fault: (text: string) => void) {
    this.#start = start
    this.#fault = fault
    this.#next = start.seq + 1
    this.#head = start.hash
    this.commitments = new CommitmentProof(this.#count)
    this.movements = new MovementProof(this.#count)
  }

  /** The last entry that was followed. */
  get end(): Start {
    return { seq: this.#next - 1, hash: this.#head }
  }

  follow(entry: Entry): void {
    const seq = Number(entry.seq)
    this.#chain(seq, entry)
    const said = readSaid(entry.detail)
    if (said === null) return
    const { kind, detail, amount } = entry
    if (entry.call_seq !== null) return this.#followCall(seq, kind, Number(entry.call_seq), amount, detail, said)
    this.rows.follow(kind, said)
    this.settings.follow(kind, said)
    if (kind === 'counter' || kind === 'counter.standing')
      this.made.add(JSON.stringify({ id: said.id, counter: said.counter, window: said.window }))
    if (kind === 'counter.standing') this.#count([said.id!], amount, 0n)
    else if (kind === 'carried.to') this.#count(said.counters ?? [], amount, 0n)
    else if (kind === 'erased') {
      this.approvals.erased(said)
      this.resolutions.erased(said)
    } else if (kind === 'pruned') this.pruned = said
    else if (kind.startsWith('approval.')) this.#followApproval(seq, kind, null, amount, detail)
    else if (kind === 'moved' && !this.movements.follow(seq, amount, detail))
      this.#fault(`Entry ${seq} (moved) speaks of money that was explained before.`)
  }

  #chain(seq: number, entry: Entry): void {
    if (seq !== this.#next) this.#fault(`Entry ${this.#next} is missing: the next one is ${seq}.`)
    this.#next = seq + 1
    const callSeq = entry.call_seq === null ? null : Number(entry.call_seq)
    const { kind, amount, detail } = entry
    this.#head = link(this.#head, { seq, at: Number(entry.at), kind, callSeq, amount, detail })
    if (this.#head === entry.hash) return
    this.#fault(
      seq === this.#start.seq + 1 && seq > 1
        ? `Entry ${seq} does not follow the last entry that was pruned.`
        : `Entry ${seq} does not match its hash: it, or one before it, was changed.`,
    )
    this.#head = entry.hash
  }

  #followApproval(seq: number, kind: string, callSeq: number | null, amount: bigint, detail: string): void {
    if (!this.approvals.follow(kind, callSeq, amount, detail))
      this.#fault(`Entry ${seq} (${kind}) speaks of an approval that was never asked for, or was past that.`)
  }

  #followCall(seq: number, kind: string, callSeq: number, amount: bigint, detail: string, said: Said): void {
    if (said.rows !== undefined) this.rows.follow(kind, said)
    this.resolutions.follow(kind, callSeq, said)
    if (kind.startsWith('approval.')) return this.#followApproval(seq, kind, callSeq, amount, detail)
    if (!this.commitments.follow(kind, callSeq, amount, detail))
      this.#fault(`Entry ${seq} (${kind}) speaks of what ${callId(callSeq)} committed, which was nothing.`)
    if (kind.startsWith('commitment.')) return
    this.exposures.follow(kind, callSeq, amount, said)
    if (kind === 'denied')
      return void this.calls.set(callSeq, { state: 'denied', reserved: 0n, settled: 0n, counters: [] })
    if (kind === 'reserved') {
      const ids = said.counters ?? []
      this.calls.set(callSeq, { state: 'reserved', reserved: amount, settled: 0n, counters: ids })
      return this.#count(ids, 0n, amount)
    }
    const call = this.calls.get(callSeq)
    if (call === undefined)
      return this.#fault(`Entry ${seq} (${kind}) speaks of ${callId(callSeq)}, which was never admitted.`)
    if (kind === 'returned') {
      this.#count(call.counters, -amount, 0n)
      this.calls.set(callSeq, { ...call, settled: call.settled - amount })
    } else if (kind === 'adjusted') {
      this.#count(call.counters, amount - call.settled, 0n)
      this.calls.set(callSeq, { ...call, settled: amount })
    } else {
      this.#count(call.counters, amount - call.settled, call.state === 'reserved' ? -call.reserved : 0n)
      this.calls.set(callSeq, { ...call, state: kind, settled: amount })
    }
  }

  readonly #count = (ids: readonly number[], spent: bigint, held: bigint): void => {
    for (const id of ids) {
      const counter = this.counters.get(id) ?? { spent: 0n, held: 0n }
      this.counters.set(id, { spent: counter.spent + spent, held: counter.held + held })
    }
  }
}
