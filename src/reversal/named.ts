import type { CallRow, CredentialRecord, EntryRow } from '../contracts/ledger.js'
import { RecordsFault, type Reading } from '../contracts/records.js'
import type { VendorRuntime } from '../engine.js'
import { isVendorId } from '../vendor-id.js'
import type { Means } from './means.js'

/** Entries looked through for one call, after the instant of its outcome. */
const ENTRIES_MAX = 1_000
const PAGE = 200
/** How far apart a row's instant and its entry's may be: they are written in one transaction. */
const APART_MS = 5_000

/**
 * The vendor's id of what a call made, where its row does not name it: its entry does if the call had committed
 * something, and else the vendor's records may. Null where neither tells.
 *
 * @param reading the vendor's records under the credential; null where it keeps none
 */
export async function nameOf(
  row: CallRow,
  runtime: VendorRuntime,
  record: CredentialRecord,
  reading: Promise<Reading> | null,
  means: Means,
): Promise<string | null> {
  const told = await inEntries(row, means)
  if (told !== null || reading === null || row.state !== 'settled') return told
  try {
    const found = await (await reading).find(await doubtOf(row, runtime, record, means))
    return found.found === 'executed' && isVendorId(found.id) ? found.id : null
  } catch (fault) {
    // What cannot be read now is not known; the plan says so.
    if (fault instanceof RecordsFault) return null
    throw fault
  }
}

/** An outcome's entry names what the call's commitment came to, even where that ended at once. */
async function inEntries({ id, settledAt }: CallRow, { ledger }: Means): Promise<string | null> {
  if (settledAt === null) return null
  let after = (await firstEntryAt(settledAt - APART_MS, ledger)) - 1
  for (let looked = 0; looked < ENTRIES_MAX; looked += PAGE) {
    const entries = await ledger.entries(after, PAGE)
    for (const entry of entries) {
      const object = entry.callId === id ? commitmentIn(entry) : null
      if (object !== null) return object
    }
    const last = entries.at(-1)
    if (last === undefined || last.at > settledAt + APART_MS) return null
    after = last.seq
  }
  return null
}

/** By halving: entries are in the order of time. */
async function firstEntryAt(at: number, ledger: Means['ledger']): Promise<number> {
  let [low, high] = [1, ledger.lastEntry() + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [entry] = await ledger.entries(middle - 1, 1)
    if (entry === undefined || entry.at >= at) high = middle
    else low = Math.max(entry.seq, middle) + 1
  }
  return low
}

function commitmentIn({ detail }: EntryRow): string | null {
  const said = JSON.parse(detail) as { commitment?: { object?: unknown }; object?: unknown }
  const object = said.commitment?.object ?? said.object
  return typeof object === 'string' ? object : null
}

/** The call as the vendor's records are asked for it, though its outcome is known. */
async function doubtOf(
  row: CallRow,
  { vendor, catalogue }: VendorRuntime,
  record: CredentialRecord,
  { ledger, namespace }: Means,
): Promise<Parameters<Reading['find']>[0]> {
  const operation = catalogue.match(row.method, row.path)?.operation
  const range = { from: row.at, to: row.at + 1, after: row.seq - 1, inDoubt: false }
  const [sent] = await ledger.sent([record.id], range, 1)
  const own = namespace('call', `${row.id}/${row.requestHash}`)
  const key = sent?.callId === row.id ? (sent.idempotencyHash ?? own) : own
  return {
    callId: row.id,
    at: row.at,
    until: row.settledAt ?? row.at,
    method: row.method,
    path: row.path,
    operation: row.operation ?? '',
    object: null,
    requestId: row.upstreamRequestId,
    upstreamKeys: operation !== undefined && vendor.idempotent(operation, row.method) ? [key] : [],
    // It was executed, so nothing rests on its not being found.
    keyCertain: false,
    elsewhere: null,
    request: null,
    taken: (ids) => ledger.knownObjects(record.id, ids),
    deleted: () => Promise.resolve(true),
  }
}
