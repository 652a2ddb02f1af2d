import { assert } from '../assert.js'
import type { Denial } from '../contracts/call.js'
import { LedgerConflict, type Settlement, type Word } from '../contracts/ledger.js'
import { sealOfOutcome } from './call-seal.js'
import { digestOf } from './chain.js'
import type { Commitments } from './commitments.js'
import type { Counters } from './counters.js'
import type { Estimates } from './estimates.js'
import { callId } from './ids.js'
import { OpenCall } from './open-calls.js'
import { resolutionDigest } from './resolution-proof.js'
import type { OpenRow, Statements } from './statements.js'
import type { Tallies } from './tallies.js'

/** What an outcome is booked with. */
interface Parts {
  readonly sql: Statements
  readonly counters: Counters
  readonly tallies: Tallies
  readonly commitments: Commitments
  readonly estimates: Estimates
  readonly now: () => number
  readonly entry: (kind: string, seq: number | null, amount: bigint, detail: string) => void
  /** Told of every row that changes. */
  readonly touch: (seq: number) => void
}

/** The second half of a call's life in the ledger: what it cost, and what that gives back. Inside the transaction. */
export class Settling {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Books an outcome on a reserved or assumed call. @param word who found it out, when it had not been known */
  settle(call: OpenCall, settlement: Settlement, word?: Word): void {
    const { sql, counters, tallies, commitments, estimates, entry } = this.#parts
    // Turned away itself, but a replay was let through or still may be: the vendor may have done it all the same.
    if (settlement.outcome === 'released' && sql.replayed.get(call.seq) !== undefined)
      settlement = { ...settlement, outcome: 'assumed' }
    const counted = call.state === 'reserved' ? { spent: 0n, held: call.reserved } : { spent: call.reserved, held: 0n }
    const object = settlement.object ?? call.object
    const cost =
      settlement.outcome === 'released'
        ? 0n
        : settlement.outcome === 'assumed'
          ? call.reserved
          : this.#cost(call, object, settlement)
    for (const id of call.counters) counters.add(counters.byId(id), cost - counted.spent, -counted.held)
    tallies.add(call, 0, 0, cost - counted.spent, -counted.held)
    // What it was admitted on counts nothing for it, where the vendor names another object.
    const moved = call.object !== null && object !== call.object && call.replayOf === null
    if (moved && call.credentialId !== null) sql.unexpose.run(call.credentialId, call.object, call.seq)
    if (object !== null && call.credentialId !== null && call.replayOf === null) {
      if (settlement.outcome === 'released') sql.unexpose.run(call.credentialId, object, call.seq)
      else sql.expose.run(call.credentialId, object, call.seq, cost)
    }
    const { ends } = settlement
    // A repetition may be the first to say what the call it repeats made.
    const othersEnd = ends !== undefined && (call.replayOf !== null || commitments.othersOn(call, ends))
    const commitment =
      call.commits && call.replayOf === null
        ? commitments.settle(call, settlement, ends !== undefined && !othersEnd)
        : null
    // Nothing was spent, and what was made may be paid by others yet: what follows from it is its maker's.
    const left = settlement.outcome === 'settled' ? undefined : settlement.made
    if (left !== undefined && call.credentialId !== null)
      sql.originate.run(call.credentialId, left, call.seq, call.keyId, call.run)
    const denial = settlement.denial
    const settledAt = this.#parts.now()
    const row = call.replayOf === null ? sql.settle : sql.settleRepeat
    row.run(
      settlement.outcome,
      cost,
      object,
      settlement.status,
      settlement.requestId,
      settlement.ms,
      settledAt,
      denial ? 'deny' : null,
      denial?.code ?? null,
      denial?.rule ?? null,
      denial?.message ?? null,
      call.seq,
    )
    entry(
      settlement.outcome,
      call.seq,
      cost,
      `{"reserved":"${call.reserved}","status":${settlement.status},"object":${JSON.stringify(object)},${sealOfOutcome([
        call.seq,
        settlement.status,
        settlement.requestId,
        settlement.ms,
        settledAt,
      ])}${moved ? `,"instead_of":${JSON.stringify(call.object)}` : ''}${left === undefined ? '' : `,"left":${JSON.stringify(left)}`}${denial === undefined ? '' : this.#stopped(call.seq, denial)}${commitment === null ? '' : `,"commitment":${commitment.text}`}${word === undefined ? '' : this.#saidBy(call.seq, word)}}`,
    )
    if (call.commits && call.replayOf !== null && settlement.outcome === 'settled')
      commitments.nameOriginal(call, settlement)
    if (ends !== undefined) commitments.end(call, ends, othersEnd ? null : { row: commitment?.row ?? null })
    if (settlement.outcome === 'assumed' && settlement.evidence !== undefined)
      estimates.keep(call.seq, settlement.evidence)
    if (settlement.outcome === 'settled' && call.credentialId !== null && call.replayOf === null) {
      const { estimate, made } = settlement
      if (estimate !== undefined) estimates.expect(call.seq, call.at, call.credentialId, estimate)
      else if (made !== undefined) estimates.know(call.seq, call.credentialId, made)
    }
    if (word !== undefined) estimates.resolved(call.seq, settledAt, word.actor, word.reason)
    this.#parts.touch(call.seq)
    call.state = settlement.outcome
  }

  /**
   * Books what became of a call of unknown outcome.
   *
   * @throws LedgerConflict when its outcome is known, or it is to be released although it was repeated
   */
  resolve(call: OpenCall, settlement: Settlement, word: Word): void {
    const id = callId(call.seq)
    if (call.state !== 'assumed')
      throw new LedgerConflict(
        call.state === 'reserved' ? `${id} is still under way.` : `The outcome of ${id} is known: it is ${call.state}.`,
      )
    if (settlement.outcome === 'released' && this.#parts.sql.replayed.get(call.seq) !== undefined)
      throw new LedgerConflict(
        `${id} was repeated under its idempotency key and the repetition was let through, so the vendor may have acted.`,
      )
    this.settle(call, settlement, word)
  }

  /**
   * Books what a settled call really cost, or in all the object it is on: then what the object's other calls count for is
   * taken off, and where that is more, they give back.
   */
  adjust(seq: number, amount: bigint, word: Word): void {
    const { sql, counters, tallies, entry, touch } = this.#parts
    const call = this.load(seq)
    assert(call.state === 'settled' && call.replayOf === null, `${callId(seq)} has an amount to correct`)
    const was = sql.settledOf.get(seq) as bigint
    const { object, credentialId } = call
    let now = amount
    if (object !== null && credentialId !== null) {
      const all = sql.settledOn.get(credentialId, object) as bigint
      const others = all > was ? all - was : 0n
      now = amount > others ? amount - others : 0n
      sql.expose.run(credentialId, object, seq, now)
      if (amount < others) this.#giveBack(call, object, others - amount)
    }
    this.#parts.estimates.putOff(seq, null)
    if (now === was) return
    for (const id of call.counters) counters.add(counters.byId(id), now - was, 0n)
    tallies.add(call, 0, 0, now - was, 0n)
    sql.adjusted.run(now, seq)
    entry('adjusted', seq, now, `{"was":"${was}","object":${JSON.stringify(object)}${this.#saidBy(seq, word)}}`)
    touch(seq)
  }

  /** The words themselves stand apart from the chain: they may name people. */
  #saidBy(seq: number, { actor, reason }: Word): string {
    const salt = this.#parts.sql.saltOf.get(seq) as string | null
    return `,"by":${JSON.stringify(actor)},"said":"${resolutionDigest(salt, actor, reason)}"`
  }

  #stopped(seq: number, { code, rule, message }: Denial): string {
    const salt = (this.#parts.sql.saltOf.get(seq) as string | null) ?? ''
    return `,"why":"${digestOf(salt, ['deny', code, rule, message])}"`
  }

  /** What a vendor object still counts for is given back: it can cost nothing any more. */
  giveBackAll(by: Pick<OpenCall, 'seq' | 'credentialId'>, object: string): void {
    this.#giveBack(by, object, this.#parts.sql.settledOn.get(by.credentialId, object) as bigint)
  }

  /** A call as its row has it, with what is only in memory at its most cautious. */
  load(seq: number): OpenCall {
    const row = this.#parts.sql.open.get(seq) as OpenRow | undefined
    assert(row !== undefined, `call ${seq} is in the ledger`)
    return new OpenCall({
      seq,
      at: Number(row.at),
      keyId: row.key_id,
      rootId: row.root_id,
      run: row.run,
      vendor: row.vendor,
      operation: row.operation ?? '',
      reserved: row.reserved,
      counters: row.counters === '' ? [] : row.counters.split(',').map(Number),
      credentialId: row.credential_id,
      object: row.object,
      replayOf: row.replay_of === null ? null : Number(row.replay_of),
      commits: true,
      actsOn: [],
      state: row.state,
      dispatched: true,
      // Other calls may have come and gone on its object since.
      overlapped: true,
    })
  }

  /** What a successful call cost, and the give-back when its object counts for less than before. */
  #cost(call: OpenCall, object: string | null, settlement: Settlement): bigint {
    if (call.replayOf !== null) return 0n
    if (object === null || call.credentialId === null || settlement.total === undefined)
      return settlement.amount ?? call.reserved
    // Only what certainly happened: were another call on the object turned away later, its part would count nowhere.
    const others = this.#parts.sql.settledOn.get(call.credentialId, object) as bigint
    if (settlement.total >= others) return settlement.total - others
    // Two replies say different totals, or one never came, and nobody knows which the vendor did last: the larger count
    // stands, unless this reply says that the object has come to its end. On an object that a call was not admitted on
    // nobody has looked whether it overlaps with others; and where one that makes an object is answered with one that
    // others count on, the vendor may have repeated what it said before they came (it keeps keys for longer than we do).
    const strange = call.object !== object
    if (settlement.ends !== object && (call.overlapped || strange || this.#inDoubt(call, object))) return 0n
    this.#giveBack(call, object, others - settlement.total)
    return 0n
  }

  /** Whether the outcome of another call on an object is not known. */
  #inDoubt({ seq, credentialId }: OpenCall, object: string): boolean {
    return this.#parts.sql.doubtOn.get(credentialId, object, seq) !== undefined
  }

  /**
   * Takes an amount off the calls that counted an object, newest first, on the days they were counted. Those whose
   * outcome is not known keep their whole reservation until it is.
   */
  #giveBack(by: Pick<OpenCall, 'seq' | 'credentialId'>, object: string, amount: bigint): void {
    const { sql, counters, tallies, entry, touch } = this.#parts
    let left = amount
    for (const row of sql.exposures.all(by.credentialId, object) as { call_seq: bigint; amount: bigint }[]) {
      const seq = Number(row.call_seq)
      if (left === 0n) break
      const part = row.amount < left ? row.amount : left
      const call = this.load(seq)
      for (const id of call.counters) counters.add(counters.byId(id), -part, 0n)
      tallies.add(call, 0, 0, -part, 0n)
      sql.expose.run(by.credentialId, object, seq, row.amount - part)
      sql.returned.run(part, seq)
      entry('returned', seq, part, `{"by":${by.seq},"object":${JSON.stringify(object)}}`)
      touch(seq)
      left -= part
    }
  }
}
