import { LedgerConflict, type CredentialRecord, type DoubtRow, type Settlement } from '../contracts/ledger.js'
import { ZERO, type Usd } from '../contracts/money.js'
import { RecordsFault, type Doubt, type Finding } from '../contracts/records.js'
import type { Engine, VendorRuntime } from '../engine.js'
import { bookedBy } from '../pipeline.js'
import { isVendorId } from '../vendor-id.js'
import { openEvidence, type Evidence } from './evidence.js'
import type { Readings } from './reach.js'
import { repeat } from './repeat.js'
import { understand, type Understood } from './understand.js'

/** What a run made of one call. */
export interface Resolved {
  readonly id: string
  readonly outcome: 'settled' | 'released' | 'still_assumed'
  /** What it counts for now. */
  readonly amount: Usd
  readonly why: string
  /** The ledger refused it for now: another call's outcome may have to be booked first. */
  readonly refused?: true
}

export const RECONCILIATION = 'reconciliation'
/** A call leaves right after its admission, or not at all; no wait for a vendor is longer than this. */
const LEFT_WITHIN_MS = 3_600_000

/**
 * Finds out what became of a call and books it: from the vendor's records, and where these do not tell and it is wished,
 * by sending it once more.
 *
 * @throws RecordsFault when the vendor cannot be read now, LedgerFault when the ledger cannot write
 */
export async function resolveDoubt(
  row: DoubtRow,
  readings: Readings,
  engine: Engine,
  wish: { readonly replay: boolean },
): Promise<Resolved> {
  const still = (why: string): Resolved => ({ id: row.id, outcome: 'still_assumed', amount: row.settled, why })
  const runtime = engine.vendors.get(row.vendor)
  const record = row.credentialId === null ? null : engine.ledger.credential(row.credentialId)
  if (runtime === undefined || record === null)
    return still('Its credential was removed, so the vendor cannot be asked. Look there, and say what happened.')
  const evidence = openEvidence(row.id, row.evidence, engine.namespace)
  const understood = understand(row, evidence, runtime, record, engine)
  const reading = readings.of(record)
  if (understood === null || reading === null)
    return still(`${row.vendor} keeps no records by which it could be told. Look there, and say what happened.`)

  const doubt = doubtOf(row, evidence, understood, runtime, record, engine)
  const finding = await reading
    .then((open) => open.find(doubt))
    .catch((fault: unknown): Finding => {
      // Records that may not be read are no reason not to send it once more; a busy vendor is.
      if (wish.replay && fault instanceof RecordsFault && !fault.busy) return { found: 'unknown', why: fault.message }
      throw fault
    })
  if (finding.found !== 'unknown') {
    const known = (ids: readonly string[]): Promise<ReadonlySet<string>> => engine.ledger.knownObjects(record.id, ids)
    return booked(row, await settlementOf(row, finding, understood, known), finding.why, engine)
  }
  if (!wish.replay) return still(finding.why)
  try {
    const again = await repeat(row, evidence, understood, runtime, record, engine)
    if (typeof again === 'string') return still(`${finding.why} ${again}`)
    return await booked(row, again, 'It was sent again under its idempotency key, and the vendor answered.', engine)
  } finally {
    engine.ledger.cameBack(row.id)
  }
}

function doubtOf(
  row: DoubtRow,
  evidence: Evidence | null,
  { match }: Understood,
  { vendor }: VendorRuntime,
  record: CredentialRecord,
  engine: Engine,
): Doubt {
  const own = engine.namespace('call', `${row.id}/${row.requestHash}`)
  const upstreamKeys = !vendor.idempotent(match.operation, row.method)
    ? []
    : [evidence?.upstreamKey ?? row.idempotencyHash ?? own]
  return {
    callId: row.id,
    at: row.at,
    until: Math.min(row.settledAt ?? Number.POSITIVE_INFINITY, row.at + LEFT_WITHIN_MS),
    method: row.method,
    path: row.path,
    operation: match.operation.id,
    object: row.object,
    requestId: row.upstreamRequestId,
    upstreamKeys,
    keyCertain: evidence !== null || row.keyCertain,
    elsewhere: elsewhere(row, evidence, record, engine),
    request: evidence?.request ?? null,
    taken: (ids) => engine.ledger.knownObjects(record.id, ids),
    deleted: () => deletedSince(row, engine),
  }
}

/** Newest first back to the call; among more calls than are read one may be. */
async function deletedSince({ vendor, at }: DoubtRow, { ledger }: Engine): Promise<boolean> {
  let cursor: string | undefined
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await ledger.calls({ vendor }, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    const since = page.rows.filter((row) => row.at >= at)
    if (since.some(({ method, state }) => method === 'DELETE' && state !== 'denied')) return true
    if (page.next === null || since.length < page.rows.length) return false
    cursor = page.next
  }
  return true
}
const PAGE = 500
const PAGES_MAX = 20

/** Why the records under the credential may not be those of the call; null when they are. */
function elsewhere(
  row: DoubtRow,
  evidence: Evidence | null,
  record: CredentialRecord,
  { ledger, standings }: Engine,
): string | null {
  // Where a credential names its account, the call's path does too, and they are held against each other.
  if (record.account === '' && record.rotatedAt !== null && record.rotatedAt >= row.at)
    return 'its credential was exchanged since, maybe for one of another account'
  if (evidence !== null) return null
  // Without what was sent, only the policies say that no other account can have been meant.
  const key = ledger.key(row.keyId)
  // A key that was narrowed since may have been wider then, and so may those above it.
  let narrowed = false
  for (let at = key; at !== null; at = at.parentId === null ? null : ledger.key(at.parentId))
    narrowed ||= at.narrowings.length > 0
  const bound =
    key !== null &&
    !narrowed &&
    standings
      .of(key)
      .policies.every(({ enforce, vendors }) => enforce && !vendors.get(row.vendor)?.accounts.entries.length)
  return bound ? null : 'it may have acted on a connected account, whose records are others'
}

type Outcome = Settlement & { readonly outcome: 'settled' | 'released' }

/** What the row says of the reply stays: there was none, or one that told nothing. */
async function settlementOf(
  row: DoubtRow,
  finding: Exclude<Finding, { found: 'unknown' }>,
  { match, question, explanation }: Understood,
  known: Doubt['taken'],
): Promise<Outcome> {
  if (finding.found === 'not_executed') {
    const { left } = finding
    return { ...asReserved(row), outcome: 'released', ...(left !== undefined && isVendorId(left) && { made: left }) }
  }
  // A record that does not say what it cost leaves it at what was reserved.
  const says = finding.reply === null ? null : bookedBy(match.operation, finding.reply, question, explanation)
  const { amount, object } = says ?? {}
  // What it made has been acted on meanwhile, by calls that counted it: it counts what they left.
  if (amount !== undefined && object === undefined && (await known([finding.id])).has(finding.id))
    return { ...says, object: finding.id, total: amount, ...asReserved(row) }
  return { ...says, ...asReserved(row) }
}

const asReserved = ({ upstreamStatus: status, upstreamRequestId: requestId, upstreamMs: ms }: DoubtRow): Outcome => ({
  outcome: 'settled',
  status,
  requestId,
  ms,
})

async function booked(row: DoubtRow, settlement: Outcome, why: string, engine: Engine): Promise<Resolved> {
  try {
    const now = await engine.ledger.resolve(row.id, settlement, { actor: RECONCILIATION, reason: why })
    return {
      id: row.id,
      outcome: settlement.outcome,
      amount: settlement.outcome === 'released' ? ZERO : now.settled,
      why,
    }
  } catch (fault) {
    if (!(fault instanceof LedgerConflict)) throw fault
    // Repeated and so not to be released, or resolved by somebody else in the meantime.
    return { id: row.id, outcome: 'still_assumed', amount: row.settled, why: fault.message, refused: true }
  }
}
