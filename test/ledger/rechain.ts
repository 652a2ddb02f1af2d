import type Database from 'better-sqlite3'
import { GENESIS, link } from '../../src/ledger/chain.js'
import type { Entry } from '../../src/ledger/replay.js'

/** Rewrites what entries say from one on, and computes every hash after it anew: a chain that is whole, and a lie. */
export function rechain(db: Database.Database, from: number, rewrite: (entry: Entry) => string): void {
  let head =
    from === 1
      ? GENESIS
      : (db
          .prepare('select hash from entries where seq = ?')
          .pluck()
          .get(from - 1) as string)
  const update = db.prepare('update entries set detail = ?, hash = ? where seq = ?')
  const entries = db.prepare('select * from entries where seq >= ? order by seq').safeIntegers().all(from) as Entry[]
  for (const entry of entries) {
    const detail = rewrite(entry)
    const callSeq = entry.call_seq === null ? null : Number(entry.call_seq)
    const { kind, amount } = entry
    head = link(head, { seq: Number(entry.seq), at: Number(entry.at), kind, callSeq, amount, detail })
    update.run(detail, head, entry.seq)
  }
}

/** Takes out of entries what they say of rows by salted digests, and chains them anew: before version 5 there were no salts. */
export function asBeforeSalts(db: Database.Database): void {
  const kept = db.prepare(`select sql from sqlite_schema where name = 'entries_stay'`).pluck().get() as
    string | undefined
  db.exec('drop trigger if exists entries_stay')
  rechain(db, 1, ({ kind, detail }) => {
    const { rows: _rows, row: _row, why: _why, out: _out, credential, object, ...said } = JSON.parse(detail) as Said
    const older = kind === 'reserved' || kind === 'denied' ? {} : { credential, object }
    return JSON.stringify({ ...said, ...older, ...olderWords(db, kind, said) })
  })
  if (kept !== undefined) db.exec(kept)
}

type Said = Readonly<Record<string, unknown>>

/** What entries said in words before rows were given digests. */
function olderWords(db: Database.Database, kind: string, { key, policy }: Said): object {
  if (kind === 'key.created') return db.prepare('select name from keys where id = ?').get(key) as object
  if (kind !== 'policy.added') return {}
  return {
    document: JSON.parse(db.prepare('select document from policies where id = ?').pluck().get(policy) as string),
  }
}
