import type Database from 'better-sqlite3'
import type { Book } from './book.js'

/** The setting that stands while a ledger does not know what was admitted after it. Null once the operator has confirmed. */
export const RECOVERY = 'recovery'

export interface Recovery {
  /** `restored`: by the operator. `found`: the file is older than its fence, or another one; nobody said so. */
  readonly how: 'restored' | 'found'
  /** When that was, epoch ms. */
  readonly at: number
  /** The last entry it knows of, epoch ms; 0 for none. What happened after it is not known. */
  readonly since: number
  /** How many entries are known to have been written; null when nothing said so. */
  readonly knownEntries: number | null
  /** Whether everything was frozen too, because what was revoked since is not known. */
  readonly frozen: boolean
}

/**
 * Numbers of calls that a lost ledger may have given out are not given again: the idempotency key of a call at its
 * vendor follows from its number, and under a used one a payment would be answered from memory instead of made.
 */
const CALLS_SKIPPED = 10_000_000

/** What is said when recovery begins. */
export type Begun = Pick<Recovery, 'how' | 'knownEntries' | 'frozen'>

/** From here on money waits for the operator, and so does everything that was frozen. Inside the transaction. */
export function beginRecovery(book: Book, db: Database.Database, begun: Begun, at: number): void {
  const since =
    (db.prepare('select at from entries order by seq desc limit 1').pluck().get() as number | undefined) ?? 0
  const recovery: Recovery = { ...begun, at, since }
  const actor = begun.how === 'restored' ? 'restore' : 'start'
  book.putSetting(RECOVERY, recovery, actor)
  if (begun.frozen) book.freeze({ kind: 'all' }, 'What was revoked since the ledger ends is not known.', actor)
  db.prepare(
    `insert into marks (name, seq) values ('calls-from', ?) on conflict (name) do update set seq = excluded.seq`,
  ).run(Math.max(book.nextCall, begun.knownEntries ?? 0) + CALLS_SKIPPED)
}

/** What the setting says; null when money need not wait. */
export function recoveryOf(ledger: { setting(name: string): unknown }): Recovery | null {
  return (ledger.setting(RECOVERY) as Recovery | null | undefined) ?? null
}

export function recoverySentence({ how, since, frozen }: Recovery): string {
  const until = since === 0 ? 'nothing at all' : `nothing after ${new Date(since).toISOString()}`
  const what = how === 'restored' ? 'was put back from a backup' : 'is not the one the last server left'
  const more = frozen
    ? ' What was revoked since is not known either: everything is frozen until «spendgate unfreeze --all».'
    : ''
  return `The ledger ${what}: it knows ${until}, so what is left of the caps is not known. Calls that cost money wait until the operator has looked and runs «spendgate db confirm-restore».${more}`
}
