import type Database from 'better-sqlite3'
import type { FenceNote } from './fence.js'

/** How a database compares with what its fence says of it. `older` and `other`: what its last server admitted is not in it. */
export type FenceVerdict = 'none' | 'agrees' | 'older' | 'other'

export function compare(db: Database.Database, note: FenceNote | null): FenceVerdict {
  if (note === null) return 'none'
  const { entries, hash } = note
  if (entries === 0) return 'agrees'
  const last = db.prepare('select max(seq) from entries').pluck().get() as number | null
  if ((last ?? 0) < entries) return 'older'
  const there = db.prepare('select hash from entries where seq = ?').pluck().get(entries) as string | undefined
  // Not there although later ones are: it was pruned, with whole segments before it.
  return there === undefined || there === hash ? 'agrees' : 'other'
}
