import { assert } from '../assert.js'
import type { Settlement } from '../contracts/ledger.js'
import type { Commitments } from './commitments.js'
import type { Counters } from './counters.js'
import type { OpenCall } from './open-calls.js'
import type { OpenRow, Statements } from './statements.js'
import type { Tallies } from './tallies.js'

/** What an outcome is booked with. */
interface Parts {
  readonly sql: Statements
  readonly counters: Counters
  readonly tallies: Tallies
  readonly commitments: Commitments
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

  /** Books an outcome on a reserved or assumed call. */
  settle(call: OpenCall, settlement: Settlement): void {
    const { sql, counters, tallies, commitments, entry } = this.#parts
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
    if (object !== null && call.credentialId !== null && call.replayOf === null) {
      if (settlement.outcome === 'released') sql.unexpose.run(call.credentialId, object, call.seq)
      else sql.expose.run(call.credentialId, object, call.seq, cost)
    }
    const commitment = call.commits && call.replayOf === null ? commitments.settle(call, settlement) : null
    const denial = settlement.denial
    sql.settle.run(
      settlement.outcome,
      cost,
      object,
      settlement.status,
      settlement.requestId,
      settlement.ms,
      this.#parts.now(),
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
      `{"reserved":"${call.reserved}","status":${settlement.status},"object":${JSON.stringify(object)}${commitment === null ? '' : `,"commitment":${commitment}`}}`,
    )
    if (call.commits && call.replayOf !== null && settlement.outcome === 'settled')
      commitments.nameOriginal(call, settlement)
    if (settlement.ends !== undefined) commitments.end(call, settlement.ends)
    this.#parts.touch(call.seq)
    call.state = settlement.outcome
  }

  /** What a vendor object still counts for is given back: it can cost nothing any more. */
  giveBackAll(by: Pick<OpenCall, 'seq' | 'credentialId'>, object: string): void {
    this.#giveBack(by, object, this.#parts.sql.settledOn.get(by.credentialId, object) as bigint)
  }

  /** A call as its row has it, with what is only in memory at its most cautious. */
  load(seq: number): OpenCall {
    const row = this.#parts.sql.open.get(seq) as OpenRow | undefined
    assert(row !== undefined, `call ${seq} is in the ledger`)
    return {
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
      overlapped: false,
    }
  }

  /** What a successful call cost, and the give-back when its object counts for less than before. */
  #cost(call: OpenCall, object: string | null, settlement: Settlement): bigint {
    if (call.replayOf !== null) return 0n
    if (object === null || call.credentialId === null || settlement.total === undefined)
      return settlement.amount ?? call.reserved
    // Only what certainly happened: were another call on the object turned away later, its part would count nowhere.
    const others = this.#parts.sql.settledOn.get(call.credentialId, object) as bigint
    if (settlement.total >= others) return settlement.total - others
    // Two replies say different totals and nobody knows which came last: the larger count stands.
    if (call.overlapped) return 0n
    this.#giveBack(call, object, others - settlement.total)
    return 0n
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
