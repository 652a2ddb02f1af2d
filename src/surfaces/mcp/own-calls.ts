import { callView } from '../../admin/views.js'
import type { CallFilter, CallRow, KeyRecord, Ledger } from '../../contracts/ledger.js'
import { formatUsd } from '../../contracts/money.js'
import type { JsonObject } from '../../contracts/vendor.js'

const KEYS_PAGE = 500
const ROWS_PAGE = 100
/** Descendants whose calls one list brings together; the newest keys where there are more. */
const FAMILY_MAX = 100

/** Whether a key is the caller's own: the same, or issued under it. */
export function isOwn(ledger: Ledger, key: KeyRecord, id: string): boolean {
  for (let at = ledger.key(id); at !== null; at = at.parentId === null ? null : ledger.key(at.parentId))
    if (at.id === key.id) return true
  return false
}

/** The caller's row by id, or null: a row of somebody else's and none at all are the same answer. */
export async function ownCall(ledger: Ledger, key: KeyRecord, id: string): Promise<CallRow | null> {
  const row = await ledger.call(id)
  return row !== null && isOwn(ledger, key, row.keyId) ? row : null
}

export interface OwnCalls {
  readonly rows: readonly CallRow[]
  readonly next: string | null
}

/**
 * Calls of a key and its descendants, newest first. The ledger threads rows by key; the threads are merged here, and a
 * cursor remembers where in each of them the page ended.
 *
 * @returns null on a cursor that no page ended with
 */
export async function ownCalls(
  ledger: Ledger,
  key: KeyRecord,
  filter: Omit<CallFilter, 'key'>,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
): Promise<OwnCalls | null> {
  const ends = endsIn(cursor)
  if (ends === null) return null
  const before = Math.min(...ends.values())
  const threads = await Promise.all(
    (await family(ledger, key)).map(async (id) => {
      const rows = after(ledger, { ...filter, key: id }, ends.get(id), before)
      return { id, rows, head: await rows.next() }
    }),
  )
  const found: CallRow[] = []
  for (;;) {
    const latest = threads
      .filter(({ head }) => head.done !== true)
      .sort((a, b) => (b.head.value as CallRow).seq - (a.head.value as CallRow).seq)[0]
    if (latest === undefined) return { rows: found, next: null }
    if (found.length === limit) return { rows: found, next: [...ends].map(([id, seq]) => `${id}.${seq}`).join('~') }
    const row = latest.head.value as CallRow
    found.push(row)
    ends.set(latest.id, row.seq)
    latest.head = await latest.rows.next()
  }
}

/** Where each thread ended that a page took rows of. */
function endsIn(cursor = ''): Map<string, number> | null {
  if (cursor === '') return new Map()
  const parts = cursor.split('~').map((part) => /^(\w{1,64})\.([1-9][0-9]{0,14})$/.exec(part))
  if (parts.length > FAMILY_MAX || parts.includes(null)) return null
  return new Map(parts.map((part) => [part![1]!, Number(part![2])]))
}

/** Rows of one thread from where it ended, or from its head without what came after the page before. */
async function* after(
  ledger: Ledger,
  filter: CallFilter,
  end: number | undefined,
  before: number,
): AsyncGenerator<CallRow, undefined> {
  let cursor = end === undefined ? null : String(end)
  do {
    const page = await ledger.calls(filter, { limit: ROWS_PAGE, ...(cursor === null ? {} : { cursor }) })
    for (const row of page.rows) if (row.seq < before) yield row
    cursor = page.next
  } while (cursor !== null)
  return undefined
}

async function family(ledger: Ledger, key: KeyRecord): Promise<readonly string[]> {
  const found: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Ledger['keys']>> = await ledger.keys({
      limit: KEYS_PAGE,
      ...(cursor === null ? {} : { cursor }),
    })
    found.push(...page.rows.filter(({ id }) => id !== key.id && isOwn(ledger, key, id)).map(({ id }) => id))
    cursor = page.next
  } while (cursor !== null && found.length < FAMILY_MAX)
  return [key.id, ...found.slice(0, FAMILY_MAX - 1)]
}

export const shown = (row: CallRow): JsonObject => callView(row) as JsonObject

/** What became of a call, in words. */
export function wordsFor(row: CallRow): string {
  const quoted = `USD ${formatUsd(row.quoted)}`
  const verdict =
    row.verdict === 'would_deny'
      ? ` Its policy only observes; ${row.rule} would have refused it: ${row.code}: ${row.message}`
      : ''
  const replay = row.replayOf === null ? '' : ` It repeats ${row.replayOf} and is counted once.`
  switch (row.state) {
    case 'denied':
      return `${row.rule} refused it: ${row.code}: ${row.message} ${row.lookUps === 0 ? 'Nothing was sent.' : `Nothing was sent but ${row.lookUps} look-ups.`}`
    case 'reserved':
      return `It is under way; USD ${formatUsd(row.reserved)} is held for it.${replay}${verdict}`
    case 'settled':
      return `It was admitted at ${quoted} and cost USD ${formatUsd(row.settled)}.${replay}${verdict}`
    case 'released':
      return `It was admitted at ${quoted}, and nothing is counted: ${row.message === null || verdict !== '' ? 'the vendor did nothing' : row.message}.${replay}${verdict}`
    case 'assumed':
      return `Its outcome is unknown, so USD ${formatUsd(row.settled)} counts as spent until the vendor's records or the operator say otherwise.${replay}${verdict}`
  }
}
