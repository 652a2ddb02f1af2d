import type { EstimateRow } from '../contracts/ledger.js'
import { COUNTABLE_MAX, formatUsd, type Usd } from '../contracts/money.js'
import { RecordsFault, type Price } from '../contracts/records.js'
import type { Engine } from '../engine.js'
import { nextAsking } from '../ledger/estimates.js'
import { RECONCILIATION } from './doubts.js'
import type { Readings } from './reach.js'

/** What a run made of one estimate. */
export interface PriceAsked {
  readonly id: string
  readonly outcome: 'adjusted' | 'confirmed' | 'pending' | 'kept'
  readonly amount: Usd
  readonly why: string
}

/**
 * Asks for the price of a call that was settled at an estimate, and books it. Where there is none after the last asking,
 * the estimate stays.
 *
 * @throws RecordsFault when the vendor cannot be read now, LedgerFault when the ledger cannot write
 */
export async function askPrice(row: EstimateRow, readings: Readings, engine: Engine): Promise<PriceAsked> {
  const { ledger, clock } = engine
  const says = (outcome: PriceAsked['outcome'], amount: Usd, why: string): PriceAsked => ({
    id: row.callId,
    outcome,
    amount,
    why,
  })
  const keep = async (why: string): Promise<PriceAsked> => {
    await ledger.putOff(row.callId, null)
    return says('kept', row.settled, `${why} The estimate stays.`)
  }
  const record = ledger.credential(row.credentialId)
  if (record === null) return keep('Its credential was removed, so the vendor cannot be asked for the price.')
  const next = nextAsking(row.at, clock.now())
  let price: Price
  try {
    const reading = await readings.of(record)
    if (!reading?.price) return keep('Its vendor cannot be asked for a price any more.')
    const { callId, at, operation, object: id, settled } = row
    price = await reading.price({ callId, at, operation, id, settled })
  } catch (fault) {
    // A vendor that is busy is asked as soon as it is left alone no more; one that refuses, when it is due again.
    if (!(fault instanceof RecordsFault && fault.busy)) await ledger.putOff(row.callId, next)
    throw fault
  }
  if ('kept' in price) return keep(price.why)
  if ('final' in price && price.final > COUNTABLE_MAX)
    return keep(`${row.vendor} names USD ${formatUsd(price.final)} for ${row.object}, more than is counted here.`)
  if ('final' in price) {
    const now = await ledger.adjust(row.callId, price.final, { actor: RECONCILIATION, reason: price.why })
    return says(now.settled === row.settled ? 'confirmed' : 'adjusted', now.settled, price.why)
  }
  if (next === null) return keep(`${row.vendor} has named no price of ${row.object} for a day.`)
  await ledger.putOff(row.callId, next)
  return says('pending', row.settled, `${row.vendor} names no price of ${row.object} yet.`)
}
