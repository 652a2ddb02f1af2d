import { LedgerConflict, LedgerFault, type SentCall } from '../contracts/ledger.js'
import { RecordsFault } from '../contracts/records.js'
import { SealFault, type Vault } from '../custody/seal.js'
import type { Engine } from '../engine.js'
import { resolveDoubt } from './doubts.js'
import { Readings } from './reach.js'

/** Calls waiting to be looked at. Those beyond wait for the next reconciliation. */
const WAITING_MAX = 100

/**
 * Finds out what became of calls of unknown outcome as soon as their money is heard of, one after the other. Whoever
 * told of it does not wait: the call counts as spent until then.
 */
export function heardCalls(means: Engine & { readonly vault: Vault }): (call: SentCall) => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  let waiting = 0
  return async (call) => {
    if (waiting >= WAITING_MAX) return
    waiting++
    last = last.then(async () => {
      try {
        await resolve(call, means)
      } catch (fault) {
        // It counts as spent until the next reconciliation, whatever went wrong with this one.
        const level = EXPECTED.some((kind) => fault instanceof kind) ? 'warn' : 'error'
        means.log(level, 'heard_call_unresolved', { call: call.callId, message: (fault as Error).message })
      } finally {
        waiting--
      }
    })
  }
}

const EXPECTED = [RecordsFault, LedgerConflict, LedgerFault, SealFault]

async function resolve(call: SentCall, means: Engine & { readonly vault: Vault }): Promise<void> {
  const { rows } = await means.ledger.doubts(call.at, { limit: WAITING_MAX })
  const row = rows.find(({ id }) => id === call.callId)
  if (row !== undefined) await resolveDoubt(row, new Readings(means), means, { replay: false })
}
