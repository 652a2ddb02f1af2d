import type { CallRow, CommitmentRow, CredentialRecord, Page, Paged } from '../contracts/ledger.js'
import { usd, ZERO, type Usd } from '../contracts/money.js'
import type { Means } from './means.js'

/** What a run has done at one vendor object: a call, the further calls on the same object, and what it counts for. */
export interface Deed {
  /** Oldest first. */
  readonly callIds: readonly string[]
  readonly keyId: string
  readonly at: number
  readonly vendor: string
  /** That of the first call; `movement` for money that followed without one. */
  readonly operation: string
  /** Null where the credential was removed. */
  readonly record: CredentialRecord | null
  /** The vendor's id; null where the ledger does not know it. */
  readonly object: string | null
  readonly counted: Usd
  /** What still stands of it. */
  readonly commitment: CommitmentRow | null
  /** The call itself, where there is exactly one. */
  readonly row: CallRow | null
}

export interface Deeds {
  readonly deeds: readonly Deed[]
  /** Calls that moved no money and left nothing behind that acts: labels, drafts. */
  readonly harmless: number
  /** True where the run has more calls than are looked through. */
  readonly cut: boolean
}

/** Calls of one run that are looked through, and what stands or moved of each of its keys. */
const CALLS_MAX = 2_000
const ROWS_MAX = 2_000
const PAGE = 500

/**
 * Everything a run has done that may have to be undone, oldest first: calls that were executed or may have been, and
 * money that followed from them.
 *
 * @param rootId of which root key, where several have a run of that name; undefined for all
 */
export async function deedsOf(run: string, rootId: string | undefined, means: Means): Promise<Deeds> {
  const { ledger } = means
  const ofRun = (page: Page): Promise<Paged<CallRow>> => ledger.calls({ run }, page)
  const { rows, cut } = await all(ofRun, CALLS_MAX)
  const own = rows.filter(({ keyId }) => rootId === undefined || rootOf(keyId, means) === rootId)
  const done = own.filter(
    ({ state, replayOf, operation, effect }) =>
      (state === 'settled' || state === 'assumed') && replayOf === null && operation !== null && effect !== 'read',
  )
  const standing = await standingOf(run, new Set(own.map(({ keyId }) => rootOf(keyId, means))), means)
  const deeds = done.reverse().flatMap((row) => deedsOfCall(row, standing, means))
  const acted = deeds.filter(
    ({ row, object, counted, commitment }) =>
      counted > 0n || object !== null || commitment !== null || row?.effect !== 'write',
  )
  const moved = await movedFor(run, [...new Set(own.map(({ keyId }) => keyId))], means)
  return { deeds: byObject([...acted, ...moved]), harmless: deeds.length - acted.length, cut }
}

const rootOf = (keyId: string, { ledger }: Means): string => ledger.key(keyId)?.rootId ?? keyId

async function all<T>(
  list: (page: Page) => Promise<Paged<T>>,
  max: number,
): Promise<{ readonly rows: T[]; readonly cut: boolean }> {
  const rows: T[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    rows.push(...page.rows)
    cursor = page.next ?? undefined
  } while (cursor !== undefined && rows.length < max)
  return { rows: rows.slice(0, max), cut: cursor !== undefined || rows.length > max }
}

/** What stands of the run, by the call that made it. */
async function standingOf(
  run: string,
  roots: ReadonlySet<string>,
  { ledger }: Means,
): Promise<ReadonlyMap<string, CommitmentRow>> {
  const found = new Map<string, CommitmentRow>()
  for (const root of roots) {
    const { rows } = await all((page) => ledger.commitments(root, page), ROWS_MAX)
    for (const row of rows) if (row.run === run) found.set(row.id, row)
  }
  return found
}

/** One deed for each object: a subscription stands by its own id, and what it billed at once by that of its invoice. */
function deedsOfCall(
  row: CallRow,
  standing: ReadonlyMap<string, CommitmentRow>,
  { ledger, credentials }: Means,
): Deed[] {
  const key = ledger.key(row.keyId)
  const commitment = standing.get(row.id) ?? null
  const deed: Deed = {
    callIds: [row.id],
    keyId: row.keyId,
    at: row.at,
    vendor: row.vendor,
    operation: row.operation!,
    record: key === null ? null : credentials.of(key, row.vendor),
    object: row.object ?? commitment?.object ?? null,
    counted: row.settled,
    commitment,
    row,
  }
  if (row.object === null || commitment === null || (commitment.object ?? row.object) === row.object) return [deed]
  return [
    { ...deed, object: commitment.object, counted: ZERO },
    { ...deed, commitment: null },
  ]
}

/** Money that came in by what the run had made: renewals, pages that were paid. */
async function movedFor(run: string, keys: readonly string[], { ledger }: Means): Promise<readonly Deed[]> {
  const found: Deed[] = []
  for (const key of keys) {
    const { rows } = await all((page) => ledger.movements({ key, explained: true }, page), ROWS_MAX)
    for (const row of rows.reverse()) {
      if (row.run !== run || row.direction !== 'in') continue
      found.push({
        callIds: row.callId === null ? [] : [row.callId],
        keyId: key,
        at: row.at,
        vendor: row.vendor,
        operation: 'movement',
        record: ledger.credential(row.credentialId),
        object: row.externalId,
        counted: row.counted,
        commitment: null,
        row: null,
      })
    }
  }
  return found
}

/** Calls on one object are one deed: what was created, raised and captured is refunded once. */
function byObject(deeds: readonly Deed[]): readonly Deed[] {
  const found = new Map<string, Deed>()
  for (const deed of deeds) {
    const { object, record } = deed
    const name = object === null || record === null ? `call ${deed.callIds.join()}` : `${record.id} ${object}`
    const known = found.get(name)
    found.set(name, known === undefined ? deed : together(known, deed))
  }
  return [...found.values()]
}

const together = (first: Deed, next: Deed): Deed => ({
  ...first,
  callIds: [...new Set([...first.callIds, ...next.callIds])],
  counted: usd(first.counted + next.counted),
  commitment: first.commitment ?? next.commitment,
  row: null,
})
