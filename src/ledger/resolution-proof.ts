import type Database from 'better-sqlite3'
import { digestOf } from './chain.js'
import { callId, callSeq } from './ids.js'
import type { Said } from './said.js'

interface Line {
  readonly call_seq: number
  readonly at: number
  readonly actor: string
  readonly reason: string
  readonly salt: string | null
  readonly settled_at: number | null
}

/** What an entry says of who found out what became of a call, and of their words. */
export const resolutionDigest = (salt: string | null, actor: string, reason: string): string =>
  digestOf(salt ?? '', [actor, reason])

/** Resolutions of these calls by the ids of the calls, as an entry of an erasure says what they are from now on. */
export function resolutionsOf(db: Database.Database, seqs: Iterable<number>): Readonly<Record<string, string>> {
  const find = db.prepare(
    'select r.call_seq, r.actor, r.reason, c.salt from resolutions r join calls c on c.seq = r.call_seq where r.call_seq = ?',
  )
  const found: Record<string, string> = {}
  for (const seq of seqs) {
    const line = find.get(seq) as Line | undefined
    if (line !== undefined) found[callId(seq)] = resolutionDigest(line.salt, line.actor, line.reason)
  }
  return found
}

/** Follows what entries say of who resolved calls of unknown outcome, and holds the table against it. Part of `verify`. */
export class ResolutionProof {
  /** Digests by calls; null where an erasure by an older version left out what became of them. */
  readonly #digests = new Map<number, string | null>()

  follow(kind: string, seq: number, { said }: Said): void {
    // A correction has words as well, and no row.
    if (said !== undefined && kind !== 'adjusted') this.#digests.set(seq, said)
  }

  erased({ resolutions }: Said): void {
    if (resolutions === undefined) for (const seq of this.#digests.keys()) this.#digests.set(seq, null)
    else for (const [id, digest] of Object.entries(resolutions)) this.#digests.set(callSeq(id) ?? 0, digest)
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    const rows = db.prepare(
      'select r.*, c.salt, c.settled_at from resolutions r left join calls c on c.seq = r.call_seq order by r.call_seq',
    )
    for (const { call_seq: seq, at, actor, reason, salt, settled_at: settledAt } of rows.iterate() as Iterable<Line>) {
      const digest = this.#digests.get(seq)
      this.#digests.delete(seq)
      if (digest === undefined) fault(`No entry says that anybody found out what became of ${callId(seq)}.`)
      else if (at !== settledAt || (digest !== null && digest !== resolutionDigest(salt, actor, reason)))
        fault(`Who found out what became of ${callId(seq)}, and what they said, is not what its entry says.`)
    }
    for (const seq of this.#digests.keys()) fault(`Who found out what became of ${callId(seq)} stands in no row.`)
  }
}
