/** What an entry's detail says, as far as proofs read it. Older entries leave out what newer ones say. */
export interface Said {
  readonly counters?: readonly number[]
  readonly credential?: string | null
  readonly object?: string | null
  /** The object a call was admitted on, where it came to count on another. */
  readonly instead_of?: string
  readonly replay_of?: number | null
  /** Digests of the columns of a call that stay, of why it was decided so, and of what the vendor answered. */
  readonly row?: string
  readonly why?: string | null
  readonly out?: string
  /** Digests of other rows by their names; null for one that is gone. */
  readonly rows?: Readonly<Record<string, string | null>>
  /** Calls whose personal data was erased, by their ids. */
  readonly calls?: Readonly<Record<string, Pick<Said, 'row' | 'why' | 'object'>>>
  /** A digest of who found out what became of a call and of their words, and of such by the ids of calls. */
  readonly said?: string
  readonly resolutions?: Readonly<Record<string, string>>
  /** Up to which entry, and with which hash there, history was pruned; what sums were carried on from it. */
  readonly to?: number
  readonly hash?: string
  readonly last_call?: number
  readonly sums?: Readonly<Record<string, string>>
  readonly id?: number
  readonly counter?: string
  readonly window?: string
  readonly key?: string
  readonly name?: string
  readonly parent?: string | null
  readonly policy?: string
  readonly run?: string | null
  readonly scope?: string
  readonly fingerprint?: string
  readonly document?: unknown
  readonly value?: unknown
  readonly digest?: string
}

/** Null when somebody made it unreadable, which its hash has told already. */
export function readSaid(detail: string): Said | null {
  try {
    return JSON.parse(detail) as Said
  } catch {
    return null
  }
}
