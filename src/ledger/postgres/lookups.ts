import type {
  Checkpoint,
  DoubtRow,
  EstimateRow,
  MovementFilter,
  MovementRow,
  Origin,
  Page,
  Paged,
  SentCall,
  Word,
} from '../../contracts/ledger.js'
import { usd, type Usd } from '../../contracts/money.js'
import { checkpointOf, type CheckpointRow } from '../checkpoints.js'
import { doubtOf, estimateOf, type DoubtLine, type EstimateLine } from '../estimates.js'
import { movementOf, originOf, sentOf, type MovementLine, type OriginLine, type SentLine } from '../movements.js'
import type { Query } from './connect.js'
import { exact } from './reports.js'

interface Span {
  readonly from: number
  readonly to: number
}

/** What reconciliation and the audit trail ask of the shared book: the same answers that `Estimates`, `Movements` and `Checkpoints` give of an SQLite one. */
export class PostgresLookups {
  readonly #query: Query

  constructor(query: Query) {
    this.#query = query
  }

  /** Oldest first. */
  async doubts(since: number | null, page: Page): Promise<Paged<DoubtRow>> {
    const after = page.cursor === undefined ? 0 : Number(page.cursor)
    const rows = await this.#lines<DoubtLine>(
      // A replay went out under the key of the call it repeats.
      `select c.*, i.hash, e.sealed, (c.seq > coalesce((select seq from marks where name = 'keys-kept'), 0))::int::bigint as keys_kept
       from calls c
       left join idempotency i on i.call_seq = coalesce(c.replay_of, c.seq)
       left join evidence e on e.call_seq = c.seq
       where c.state = 'assumed' and c.seq > $1 and c.at >= $2 order by c.seq limit $3`,
      [after, since ?? 0, page.limit + 1],
    )
    const found = rows.slice(0, page.limit).map(doubtOf)
    return { rows: found, next: rows.length > page.limit ? String(found.at(-1)!.seq) : null }
  }

  /** Longest due first. */
  async due(dueBy: number, limit: number): Promise<readonly EstimateRow[]> {
    const rows = await this.#lines<EstimateLine>(
      `select e.call_seq, c.at, c.vendor, e.credential_id, c.operation, e.object, c.settled
       from estimates e join calls c on c.seq = e.call_seq where e.due_at <= $1 order by e.due_at limit $2`,
      [dueBy, limit],
    )
    return rows.map(estimateOf)
  }

  /** Who found out what became of a call. */
  async word(seq: number): Promise<(Word & { readonly at: number }) | null> {
    const [row] = await this.#query('select at, actor, reason from resolutions where call_seq = $1', [seq])
    return row === undefined ? null : { at: Number(row.at), actor: row.actor as string, reason: row.reason as string }
  }

  async known(credentialId: string, objects: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#query(
      `select object from estimates where credential_id = $1 and object = any ($2)
       union select object from exposures where credential_id = $1 and object = any ($2)`,
      [credentialId, objects],
    )
    return new Set(rows.map(({ object }) => object as string))
  }

  /** Newest first. */
  async movements({ explained, vendor, key }: MovementFilter, page: Page): Promise<Paged<MovementRow>> {
    const before = page.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(page.cursor)
    const flag = explained === undefined ? null : explained ? 1 : 0
    const rows = await this.#lines<MovementLine>(
      `select * from movements where seq < $1 and ($2::bigint is null or explained = $2) and ($3::text is null or vendor = $3)
         and ($4::text is null or key_id = $4) order by seq desc limit $5`,
      [before, flag, vendor ?? null, key ?? null, page.limit + 1],
    )
    const found = rows.slice(0, page.limit).map(movementOf)
    return { rows: found, next: rows.length > page.limit ? String(found.at(-1)!.seq) : null }
  }

  /** What of the movements since an instant was counted on these keys. */
  async counted(
    keys: readonly string[],
    since: number,
    { vendor, direction }: { readonly vendor: string | null; readonly direction: string | null },
  ): Promise<bigint> {
    const [row] = await this.#query(
      `select coalesce(sum(counted), 0)::text as sum from movements
       where at >= $1 and key_id = any ($2) and ($3::text is null or vendor = $3) and ($4::text is null or direction = $4)`,
      [since, keys, vendor, direction],
    )
    return BigInt(row!.sum as string)
  }

  /** The first of these objects that a call is known to have made, and that call. */
  async originOf(credentialIds: readonly string[], objects: readonly string[]): Promise<Origin | null> {
    for (const object of objects) {
      for (const credentialId of credentialIds) {
        const [row] = await this.#lines<OriginLine>(
          `select 0::bigint as rank, c.seq, c.credential_id, c.key_id, c.run from calls c where c.seq = coalesce(
             (select min(call_seq) from exposures where credential_id = $1 and object = $2),
             (select min(call_seq) from commitments where credential_id = $1 and object = $2))
           union all
           select 1, call_seq, credential_id, key_id, run from origins where credential_id = $1 and object = $2
           order by rank limit 1`,
          [credentialId, object],
        )
        if (row !== undefined) return originOf(row, object)
      }
    }
    return null
  }

  /** Calls that were let out of these credentials, oldest first. */
  async sent(
    credentialIds: readonly string[],
    { from, to, after, inDoubt }: Span & { readonly after: number; readonly inDoubt: boolean },
    limit: number,
  ): Promise<readonly SentCall[]> {
    const doubtful = `join (select seq from calls where state = 'assumed' union select call_seq from resolutions) d using (seq)`
    const rows = await this.#lines<SentLine>(
      `select c.seq, c.at, c.key_id, c.credential_id, c.run, c.state, c.request_hash, c.upstream_request_id, i.hash
       from calls c ${inDoubt ? doubtful : ''} left join idempotency i on i.call_seq = c.seq
       where c.seq > $1 and c.at >= $2 and c.at < $3 and c.state <> 'denied' and c.replay_of is null
         and c.credential_id = any ($4) order by c.seq limit $5`,
      [after, from, to, credentialIds, limit],
    )
    return rows.map(sentOf)
  }

  /** What the calls of a credential count that began in a span, and what moved on it unexplained. */
  async countedUnder(
    credentialId: string,
    { from, to }: Span,
  ): Promise<{ readonly calls: Usd; readonly unexplained: Usd }> {
    const [row] = await this.#query(
      `select
         (select coalesce(sum(settled), 0) from calls where at >= $2 and at < $3 and credential_id = $1)::text as calls,
         (select coalesce(sum(amount), 0) from movements
          where credential_id = $1 and explained = 0 and kind <> 'usage' and at >= $2 and at < $3)::text as unexplained`,
      [credentialId, from, to],
    )
    return { calls: usd(BigInt(row!.calls as string)), unexplained: usd(BigInt(row!.unexplained as string)) }
  }

  async lastCheckpoint(): Promise<Checkpoint | null> {
    const [row] = await this.#query('select * from checkpoints order by seq desc limit 1')
    return row === undefined ? null : readCheckpointRow(row)
  }

  async checkpoints(afterSeq: number, limit: number): Promise<readonly Checkpoint[]> {
    const rows = await this.#query('select * from checkpoints where seq > $1 order by seq limit $2', [afterSeq, limit])
    return rows.map(readCheckpointRow)
  }

  /** Idempotency keys of calls before an instant, but for calls in doubt: their vendor is asked by them. Bounded. */
  async forgetKeys(before: number): Promise<void> {
    await this.#query(
      `delete from idempotency where call_seq in (
         select i.call_seq from idempotency i join calls c on c.seq = i.call_seq
         where c.at < $1 and c.state <> 'assumed'
           and not exists (select 1 from calls r where r.replay_of = i.call_seq and r.state = 'assumed')
         order by i.call_seq limit 50000)`,
      [before],
    )
  }

  /** Nodes that went a day ago and left nothing behind. */
  async forgetNodes(): Promise<void> {
    await this.#query(
      `delete from nodes n where n.gone and n.lease_until < now_ms() - 86400000
         and not exists (select 1 from open_calls o where o.node = n.id)`,
      [],
    )
  }

  async #lines<T>(text: string, values: readonly unknown[]): Promise<T[]> {
    return (await this.#query(text, values)).map((row) => exact(row) as T)
  }
}

const readCheckpointRow = (row: Readonly<Record<string, unknown>>): Checkpoint =>
  checkpointOf({
    ...(row as unknown as CheckpointRow),
    seq: Number(row.seq),
    entries: Number(row.entries),
    at: Number(row.at),
  })
