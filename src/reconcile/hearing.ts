import type { CredentialRecord, NewMovement, Origin, SentCall } from '../contracts/ledger.js'
import { formatUsd, ZERO } from '../contracts/money.js'
import type { Moved } from '../contracts/records.js'
import type { Engine } from '../engine.js'
import { isVendorId } from '../vendor-id.js'
import { callBehind, OWN_KEY } from './call-behind.js'

/** What hearing of money needs of the engine. */
export type Means = Pick<
  Engine,
  'ledger' | 'judge' | 'standings' | 'namespace' | 'clock' | 'metrics' | 'log' | 'vendors'
> & {
  /** Finds out what became of a call of unknown outcome whose money was heard of. Absent: the next reconciliation does. */
  readonly settle?: (call: SentCall, moved: Moved) => Promise<void>
}

/**
 * ours: a call of ours moved it and counts it. counted: it followed from an object of ours. routine: the account's own.
 * unexplained: neither. later: nothing is booked, because other records of the vendor's may still tell what it belongs to.
 */
export type Verdict = 'ours' | 'counted' | 'routine' | 'unexplained' | 'later'
export interface Heard {
  readonly verdict: Verdict
  /** False when this money was booked before. */
  readonly fresh: boolean
  readonly why: string | null
}

const OURS: Heard = { verdict: 'ours', fresh: false, why: null }

/**
 * Finds out whose money has moved, and books it if no call counts it: on the key whose call made what it followed from,
 * or on nobody, as unexplained. The same money may be told any number of times, by whom and in whatever order.
 *
 * @param last whether nobody will tell more of it: what is not complete is then judged as it is
 * @throws LedgerFault when nothing could be booked
 */
export async function hear(told: Moved, record: CredentialRecord, last: boolean, means: Means): Promise<Heard> {
  const { ledger } = means
  // What cannot be written would be told again and again, and nothing after it.
  if (!isVendorId(told.id)) return { verdict: 'unexplained', fresh: false, why: 'The id it has is none.' }
  const moved = { ...told, objects: told.objects.filter(isVendorId), makes: told.makes.filter(isVendorId) }
  const siblings = siblingsOf(record, means)
  const call = await callBehind(moved, siblings, means)
  if (call !== null) {
    if (call.state === 'assumed') await means.settle?.(call, moved)
    if (call.state !== 'released') return OURS
    // Nothing was to come of it, so nothing counts it. It has moved all the same.
    means.log('warn', 'released_call_moved', { call: call.callId, movement: moved.id })
    return book(moved, record, { ...call, object: null }, null, means)
  }
  if (moved.cause === 'schedule') return { verdict: 'routine', fresh: false, why: null }
  if (moved.cause === 'request') {
    const known = await ledger.knownObjects(record.id, [moved.id])
    return known.has(moved.id) ? OURS : book(moved, record, null, notAsked(moved), means)
  }
  const origin = await ledger.originOf(siblings, moved.objects)
  if (origin !== null) return book(moved, record, origin, null, means)
  if (moved.amount === ZERO) return { verdict: 'routine', fresh: false, why: null }
  if (!moved.complete && !last) return { verdict: 'later', fresh: false, why: null }
  return book(moved, record, null, NOBODYS, means)
}

/** Credentials of one vendor may be for one account, whose objects any of them may have made. */
const siblingsOf = (record: CredentialRecord, { ledger }: Means): readonly string[] => [
  record.id,
  ...ledger
    .credentials()
    .filter(({ id, vendor, test }) => id !== record.id && vendor === record.vendor && test === record.test)
    .map(({ id }) => id),
]

const NOBODYS = 'Nothing it followed from is known from a call through spendgate.'
const notAsked = ({ upstreamKey }: Moved): string =>
  upstreamKey !== null && OWN_KEY.test(upstreamKey)
    ? 'Its request has an idempotency key of the form spendgate makes, but no call in this ledger went out under it.'
    : 'No call through spendgate asked for it.'

async function book(
  moved: Moved,
  record: CredentialRecord,
  origin: (Pick<Origin, 'callId' | 'credentialId' | 'keyId' | 'run'> & { readonly object: string | null }) | null,
  why: string | null,
  means: Means,
): Promise<Heard> {
  const { ledger, judge, standings, clock, metrics, log } = means
  // What a reissued key began goes on, and who came in its place answers for it.
  const key = origin === null ? null : ledger.successor(origin.keyId)
  const at = Math.min(moved.at, clock.now())
  const credentialId = origin?.credentialId ?? record.id
  const unknown = moved.amount === null ? 'What it comes to in USD is not known, so it counts nowhere yet.' : null
  const counts = key !== null && unknown === null
  const movement: NewMovement = {
    at,
    vendor: record.vendor,
    credentialId,
    externalId: moved.id,
    kind: moved.kind,
    direction: moved.direction,
    amount: moved.amount,
    origin: origin !== null && counts ? { ...origin, keyId: key.id } : null,
    makes: moved.makes,
    why: counts ? null : (unknown ?? why ?? NOBODYS),
  }
  const levels = counts ? standings.of(key).levels : []
  const { vendor } = record
  const budgets = judge.budgets(levels, { vendor, credentialId, direction: moved.direction }, at)
  const { row, fresh, added, over } = await ledger.moved(movement, budgets)
  if (fresh) {
    metrics.count('spendgate_movements_total', `vendor="${vendor}",explained="${row.explained}"`)
    if (!row.explained) {
      metrics.count('spendgate_unexplained_usd_total', `vendor="${vendor}"`, Number(formatUsd(added)))
      log('info', 'movement_unexplained', { vendor, movement: moved.id, kind: moved.kind, why: row.why })
    }
  }
  for (const budget of over) {
    metrics.count('spendgate_over_cap_total', `vendor="${vendor}"`)
    log('warn', 'movement_over_cap', {
      vendor,
      movement: moved.id,
      key: row.keyId,
      rule: budget.rule,
      limit: budget.label,
    })
  }
  return { verdict: row.explained ? 'counted' : 'unexplained', fresh, why: row.why }
}
