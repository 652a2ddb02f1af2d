import type { EntryRow } from '../contracts/ledger.js'
import { formatUsd, parseUsd, usd, type Usd } from '../contracts/money.js'
import type { Sealed } from '../ledger/chain.js'
import { callSeq } from '../ledger/ids.js'

/**
 * An entry as a line of an export. `detail` stays the text that was hashed. Instant and amount can be turned back
 * exactly, so the chain can be checked from the file alone.
 */
export const entryLine = (entry: EntryRow): string =>
  `${JSON.stringify({
    seq: entry.seq,
    at: instant(entry.at),
    kind: entry.kind,
    call_id: entry.callId,
    amount_usd: formatUsd(entry.amount),
    detail: entry.detail,
    hash: entry.hash,
  })}\n`

/** An entry as it was hashed, with its hash. */
export interface Exported extends Sealed {
  readonly hash: string
}

/** The entry that a parsed line of an export holds; null when it holds none. */
export function exportedOf(value: unknown): Exported | null {
  const { seq, at, kind, call_id: callId, amount_usd: amountText, detail, hash } = (value ?? {}) as Unknowns
  if (typeof seq !== 'number' || typeof at !== 'string' || typeof kind !== 'string' || typeof detail !== 'string')
    return null
  if (typeof hash !== 'string' || typeof amountText !== 'string' || (callId !== null && typeof callId !== 'string'))
    return null
  const amount = signed(amountText)
  const call = callId === null ? null : callSeq(callId)
  if (amount === null || (callId !== null && call === null)) return null
  return { seq, at: Date.parse(at), kind, callSeq: call, amount, detail, hash }
}

type Unknowns = Readonly<Record<string, unknown>>

function signed(text: string): Usd | null {
  const amount = parseUsd(text.replace(/^-/, ''))
  return amount !== null && text.startsWith('-') ? usd(-amount) : amount
}

/** Columns of an export as a table. */
export const CSV_HEAD = 'seq,at,kind,call_id,amount_usd,detail,hash\r\n'

/** An entry as a line of a table. A table is for reading; the chain is checked from the other form. */
export const entryRecord = (entry: EntryRow): string =>
  csvRecord([
    String(entry.seq),
    instant(entry.at),
    entry.kind,
    entry.callId ?? '',
    formatUsd(entry.amount),
    entry.detail,
    entry.hash,
  ])

/**
 * A record of RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV
 * Injection); plain numbers keep their sign.
 */
export const csvRecord = (fields: readonly string[]): string => `${fields.map(field).join(',')}\r\n`

function field(text: string): string {
  const shown = /^[=+\-@\t\r\n]/.test(text) && !/^-?\d+(?:\.\d+)?$/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown
}

const instant = (ms: number): string => new Date(ms).toISOString()
