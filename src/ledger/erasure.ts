import type Database from 'better-sqlite3'
import type { Erased } from '../contracts/ledger.js'
import { FIXED, sealOfColumns, WHY } from './call-seal.js'
import { newSalt, type Value } from './chain.js'
import { callId } from './ids.js'
import type { Said } from './said.js'
import type { SealedTable } from './sealed-rows.js'

/** What stands where personal data stood. The triggers of `calls` let no other change of those columns through. */
export const ERASED = '[erased]'

/** Rows erased in one transaction, with one entry. */
const BATCH = 500
/** A retry within this time is recognised by the request's hash, and an identical write too. */
const RECENT_MS = 48 * 3_600_000

/** Replaces one person's e-mail address, phone number or vendor id in texts, and nothing that only contains it. */
export class Subject {
  readonly #patterns: readonly RegExp[]
  /** Spellings to look for before a text is looked at closely, in lower case. */
  readonly spellings: readonly string[]

  constructor(text: string) {
    const spellings = new Set([
      text,
      encodeURIComponent(text),
      text.replaceAll('+', '%2B'),
      text.replaceAll('@', '%40'),
    ])
    const digits = /^\+?(\d{7,15})$/.exec(text)?.[1]
    if (digits !== undefined) for (const each of [digits, `+${digits}`, `%2B${digits}`]) spellings.add(each)
    this.spellings = [...spellings].map((each) => each.toLowerCase())
    // What a domain goes on with is another domain; after anything else a point ends it (`+14155550100.json`).
    const end = text.includes('@') ? String.raw`(?![\p{L}\p{N}_-]|\.[\p{L}\p{N}])` : String.raw`(?![\p{L}\p{N}_-])`
    // The longest first: a shorter one may be the end of it.
    const longest = [...spellings].sort((a, b) => b.length - a.length)
    this.#patterns = longest.map(
      (each) => new RegExp(String.raw`(?<=^|[^\p{L}\p{N}._+-]|%[0-9A-F]{2})${escaped(each)}${end}`, 'giu'),
    )
  }

  within(text: string): string {
    return this.#patterns.reduce((left, pattern) => left.replace(pattern, ERASED), text)
  }

  /** The same for every text in a document. */
  withinDocument(value: unknown): unknown {
    if (typeof value === 'string') return this.within(value)
    if (Array.isArray(value)) return value.map((each) => this.withinDocument(each))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [this.within(name), this.withinDocument(each)]),
    )
  }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

type Row = Readonly<Record<string, Value>>
type Change = readonly [table: SealedTable, id: string]

/**
 * Erases one person from the rows where people's words stand. Entries hold digests of those rows, so the chain stays as
 * it is and gets an entry of what the rows are now. Plain SQL, inside the ledger's transaction.
 */
export class Erasure {
  readonly #db: Database.Database
  readonly #subject: Subject
  readonly #nowMs: number

  constructor(db: Database.Database, subject: Subject, nowMs: number) {
    this.#db = db
    this.#subject = subject
    this.#nowMs = nowMs
  }

  /** Calls after one, at most 500: the row number to go on after, null at the end, and what their entry says. */
  calls(after: number): { readonly next: number | null; readonly calls: NonNullable<Said['calls']> } {
    const calls: Record<string, Pick<Said, 'row' | 'why' | 'object'>> = {}
    const columns = ['path', 'customer', 'reason', 'message', 'object']
    // Hashes that an earlier erasure had to leave go now, whomever it was about.
    const left = `instr(path, '${ERASED}') > 0 and request_hash <> '${ERASED}' and at < ${this.#nowMs - RECENT_MS}`
    const rows = this.#holding('calls', columns, `seq > ${Math.trunc(after)} order by seq limit ${BATCH}`, left)
    for (const row of rows) {
      const erased = this.#ofCall(row)
      if (erased !== null) calls[callId(Number(row['seq']))] = erased
    }
    return { next: rows.length === BATCH ? Number(rows.at(-1)!['seq']) : null, calls }
  }

  #ofCall(row: Row): Pick<Said, 'row' | 'why' | 'object'> | null {
    const path = this.#subject.within(String(row['path']))
    const reason = this.#text(row['reason'])
    const message = this.#text(row['message'])
    const customer = this.#text(row['customer']) === row['customer'] ? row['customer'] : ERASED
    const object = this.#text(row['object']) === row['object'] || this.#inUse(row) ? row['object'] : ERASED
    const old = Number(row['at']) < this.#nowMs - RECENT_MS
    const changed =
      (old && row['request_hash'] !== ERASED && path.includes(ERASED)) ||
      path !== row['path'] ||
      reason !== row['reason'] ||
      message !== row['message'] ||
      customer !== row['customer'] ||
      object !== row['object']
    if (!changed) return null
    // A short request can be found out from its hash. As long as a retry may come the hash is still needed.
    const hash = old ? ERASED : row['request_hash']
    const now = { ...row, path, reason, message, customer, object, request_hash: hash, salt: newSalt() } as Row
    this.#db
      .prepare(
        'update calls set path = ?, reason = ?, message = ?, customer = ?, object = ?, request_hash = ?, salt = ? where seq = ?',
      )
      .run(path, reason, message, customer, object, hash, now['salt'], row['seq'])
    const salt = String(now['salt'])
    return {
      row: sealOfColumns(salt, FIXED, now),
      why: now['code'] === null && now['message'] === null ? null : sealOfColumns(salt, WHY, now),
      ...(object !== row['object'] && { object: ERASED }),
    }
  }

  /** Whether money still counts on an object: then its name stays. */
  #inUse({ credential_id: credentialId, object }: Row): boolean {
    return ['exposures', 'commitments', 'estimates', 'origins', 'movements'].some(
      (table) =>
        this.#db
          .prepare(`select 1 from ${table} where credential_id = ? and object = ? limit 1`)
          .get(credentialId, object) !== undefined,
    )
  }

  /** Everything but calls. Rows to be sealed anew, calls whose resolutions changed, and what had to stay. */
  others(): {
    readonly rows: readonly Change[]
    readonly resolved: readonly number[]
    readonly kept: readonly string[]
  } {
    const rows: Change[] = []
    const resolved: number[] = []
    const kept: string[] = []
    this.#policies(rows, kept)
    this.#keys(rows, kept)
    this.#approvals(rows, kept)
    for (const row of this.#holding('resolutions', ['actor', 'reason'])) {
      this.#db
        .prepare('update resolutions set actor = ?, reason = ? where call_seq = ?')
        .run(this.#text(row['actor']), this.#text(row['reason']), row['call_seq'])
      resolved.push(Number(row['call_seq']))
    }
    return { rows, resolved, kept }
  }

  /** Freezes by what they are of: their names have two parts. */
  freezes(): readonly (readonly ['freezes', string, string])[] {
    return this.#holding('freezes', ['reason']).map((row) => {
      const [kind, value] = [String(row['kind']), String(row['value'])]
      this.#db
        .prepare('update freezes set reason = ? where kind = ? and value = ?')
        .run(this.#text(row['reason']), kind, value)
      return ['freezes', kind, value] as const
    })
  }

  /** A policy is in force while a living key was issued under it, and as the newest of its name. */
  #policies(rows: Change[], kept: string[]): void {
    const inForce = this.#db
      .prepare(
        `select 1 from policies p where p.id = ? and (
           p.version = (select max(version) from policies n where n.name = p.name)
           or exists (select 1 from keys k where k.policy_id = p.id and k.revoked_at is null and (k.expires_at is null or k.expires_at > ?)))`,
      )
      .pluck()
    for (const row of this.#holding('policies', ['document'])) {
      const document = JSON.stringify(this.#subject.withinDocument(JSON.parse(String(row['document']))))
      if (document === row['document']) continue
      if (inForce.get(row['id'], this.#nowMs) !== undefined) {
        kept.push(
          `The policy ${String(row['name'])}@${String(row['version'])} is in force: store a version without it.`,
        )
        continue
      }
      this.#db.prepare('update policies set document = ? where id = ?').run(document, row['id'])
      rows.push(['policies', String(row['id'])])
    }
  }

  #keys(rows: Change[], kept: string[]): void {
    for (const row of this.#holding('keys', ['name', 'revoke_reason', 'narrowings'])) {
      const name = this.#text(row['name'])
      const reason = this.#text(row['revoke_reason'])
      const lives =
        row['revoked_at'] === null && (row['expires_at'] === null || Number(row['expires_at']) > this.#nowMs)
      const narrowed = JSON.stringify(this.#subject.withinDocument(JSON.parse(String(row['narrowings']))))
      if (lives && narrowed !== row['narrowings'])
        kept.push(`The key ${String(row['id'])} is narrowed to it and lives: revoke the key first.`)
      const narrowings = lives ? row['narrowings'] : narrowed
      if (name === row['name'] && reason === row['revoke_reason'] && narrowings === row['narrowings']) continue
      this.#db
        .prepare('update keys set name = ?, revoke_reason = ?, narrowings = ? where id = ?')
        .run(name, reason, narrowings, row['id'])
      rows.push(['keys', String(row['id'])])
    }
  }

  #approvals(rows: Change[], kept: string[]): void {
    for (const row of this.#holding('approvals', ['path', 'customer', 'call_reason', 'reason', 'decided_by'])) {
      const [path, callReason, reason, decidedBy] = [
        row['path'],
        row['call_reason'],
        row['reason'],
        row['decided_by'],
      ].map((value) => this.#text(value ?? null))
      const customer = this.#text(row['customer']) === row['customer'] ? row['customer'] : ERASED
      if (
        path === row['path'] &&
        customer === row['customer'] &&
        callReason === row['call_reason'] &&
        reason === row['reason'] &&
        decidedBy === row['decided_by']
      )
        continue
      const live = (row['state'] === 'open' || row['state'] === 'approved') && Number(row['expires_at']) > this.#nowMs
      if (live) {
        kept.push(`The approval ${String(row['id'])} is ${String(row['state'])} and has not expired.`)
        continue
      }
      this.#db
        .prepare(
          'update approvals set path = ?, customer = ?, call_reason = ?, reason = ?, decided_by = ?, request_hash = ? where id = ?',
        )
        .run(path, customer, callReason, reason, decidedBy, ERASED, row['id'])
      rows.push(['approvals', String(row['id'])])
    }
  }

  #text(value: Value | undefined): string | null {
    return value == null ? null : this.#subject.within(String(value))
  }

  #holding(table: string, columns: readonly string[], more = '', or = 'false'): Row[] {
    const text = columns.map((column) => `coalesce(${column}, '')`).join(` || char(10) || `)
    const found = this.#subject.spellings.map(() => `instr(lower(${text}), ?) > 0`).join(' or ')
    return this.#db
      .prepare(`select * from ${table} where (${found} or ${or}) ${more === '' ? '' : `and ${more}`}`)
      .safeIntegers()
      .all(...this.#subject.spellings) as Row[]
  }
}

/** What an erasure came to, over all its transactions. */
export const nothingErased = (): { -readonly [Name in keyof Erased]: Erased[Name] } => ({ calls: 0, rows: 0, kept: [] })
