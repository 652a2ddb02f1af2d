import type Database from 'better-sqlite3'

/**
 * Follows what entries say of approvals, and holds the table against it. Part of `verify`. Older entries hold people's
 * words too, newer ones a digest of the row (src/ledger/row-proof.ts).
 */
export class ApprovalProof {
  readonly #rows = new Map<string, Partial<Proved>>()

  /** False when the entry speaks of a request that none before it opened, or that cannot have come to this. */
  follow(kind: string, callSeq: number | null, amount: bigint, detail: string): boolean {
    const said = read(detail)
    // Somebody made it unreadable, which its hash has told already.
    if (said === null) return true
    if (kind === 'approval.requested') {
      if (this.#rows.has(said.approval)) return false
      this.#rows.set(said.approval, { ...opened(said), call_seq: callSeq, ceiling: String(amount) })
      return true
    }
    const row = this.#rows.get(said.approval)
    if (row === undefined) return false
    if (kind === 'approval.used') {
      if (row.state !== 'approved') return false
      Object.assign(row, { state: 'used', used_by: callSeq })
      return true
    }
    if (row.state !== 'open') return false
    Object.assign(row, {
      state: kind.slice('approval.'.length),
      decided_at: said.at,
      decided_by: said.actor,
      expires_at: said.expires_at,
    })
    if (said.reason === undefined) delete row.reason
    else row.reason = said.reason
    return true
  }

  /** What older entries say in people's words does not stand any more: the digest of the row says what does. */
  erased({ rows = {} }: { readonly rows?: Readonly<Record<string, unknown>> }): void {
    for (const name of Object.keys(rows)) {
      const row = this.#rows.get(name.replace(/^approvals /, ''))
      for (const column of WORDS) delete row?.[column]
    }
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    for (const row of db.prepare(TABLE).iterate() as Iterable<Proved & { id: string }>) {
      const { id, ...stored } = row
      const proved = this.#rows.get(id)
      this.#rows.delete(id)
      if (proved === undefined) fault(`No entry says that ${id} was ever asked for.`)
      else if (!COLUMNS.every((column) => !(column in proved) || proved[column] === stored[column]))
        fault(`The approval ${id} is ${stored.state}, or about something else, and its entries say otherwise.`)
    }
    for (const id of this.#rows.keys()) fault(`The approval ${id} stands by its entries and has no row.`)
  }
}

/** An approval as entries make it. Amounts are text: they may be larger than a number holds. */
interface Proved {
  at: number
  key_id: string
  root_id: string
  call_seq: number | null
  run: string
  vendor: string
  operation: string
  method: string
  path: string
  customer: string | null
  call_reason: string | null
  request_hash: string
  ceiling: string
  span_ms: number
  expires_at: number
  state: string
  decided_at: number | null
  decided_by: string | null
  reason: string | null
  used_by: number | null
}

const COLUMNS = [
  'at',
  'key_id',
  'root_id',
  'call_seq',
  'run',
  'vendor',
  'operation',
  'method',
  'path',
  'customer',
  'call_reason',
  'request_hash',
  'ceiling',
  'span_ms',
  'expires_at',
  'state',
  'decided_at',
  'decided_by',
  'reason',
  'used_by',
] as const satisfies readonly (keyof Proved)[]

/** Columns that hold people's words. */
const WORDS = ['path', 'customer', 'call_reason', 'request_hash', 'decided_by', 'reason'] as const

const TABLE = `select id, ${COLUMNS.map((column) => (column === 'ceiling' ? 'cast(ceiling as text) as ceiling' : column)).join(', ')} from approvals`

interface Said {
  readonly approval: string
  readonly at: number
  readonly key: string
  readonly root: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
  readonly method?: string
  readonly path?: string
  readonly customer?: string | null
  readonly call_reason?: string | null
  readonly request?: string
  readonly span_ms: number
  readonly expires_at: number
  readonly actor: string
  readonly reason?: string | null
}

const opened = ({ approval: _id, key, root, request, ...rest }: Said): Partial<Proved> => ({
  ...rest,
  ...(request !== undefined && { request_hash: request }),
  key_id: key,
  root_id: root,
  state: 'open',
  decided_at: null,
  decided_by: null,
  reason: null,
  used_by: null,
})

function read(detail: string): Said | null {
  try {
    return JSON.parse(detail) as Said
  } catch {
    return null
  }
}
