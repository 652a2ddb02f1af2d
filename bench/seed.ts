import Database from 'better-sqlite3'
import { statSync } from 'node:fs'
import { Fence } from '../src/ledger/fence.js'
import { machineStart } from '../src/machine-start.js'

/** A ledger whose first calls were made through it, one after the other, `stepMs` apart, by its keys in turn. */
export interface Beginning {
  readonly file: string
  /** How many were really made. */
  readonly made: number
  readonly keys: number
  readonly firstAt: number
  readonly stepMs: number
}

const DAY_MS = 86_400_000
/** Rows that a statement writes. */
const CHUNK = 100_000
/** What the server remembers idempotency keys for, twice: older ones it deletes. */
const REMEMBERED_MS = 2 * DAY_MS

/**
 * Goes on with the beginning until there are so many rows, by copying it in SQL: the same columns, indexes, triggers,
 * sums, threads and sizes as if each call had been made, in a hundredth of the time. Two things are not as they would
 * be: hashes and salts are random, so that the chain does not verify, and a row names counters of the beginning.
 */
export function multiply({ file, made, keys, firstAt, stepMs }: Beginning, rows: number): void {
  const db = new Database(file)
  try {
    // It is thrown away when it is not finished, so nothing of it need be safe before its end.
    for (const pragma of [
      'locking_mode = exclusive',
      'journal_mode = delete',
      'journal_mode = off',
      'synchronous = off',
    ])
      db.pragma(pragma)
    db.pragma('cache_size = -262144')
    for (const table of ['calls', 'idempotency', 'exposures'])
      db.exec(`create temp table first_${table} as select * from main.${table}`)
    // Entries of calls, apart from those that tell of a new counter: the copies make none.
    db.exec('create temp table first_entries as select * from main.entries where call_seq is not null order by seq')
    const entries = db.prepare('select count(*) from temp.first_entries').pluck().get() as number
    const lastEntry = db.prepare('select max(seq) from entries').pluck().get() as number
    const at = (seq: string): string => `cast(${firstAt} + (${seq}) * ${stepMs} as integer)`
    const day = (seq: string): string => `strftime('%Y-%m-%d', (${at(seq)}) / 1000, 'unixepoch')`
    const seq = `(t.seq + k * ${made})`
    const callSeq = `(t.call_seq + k * ${made})`
    const object = (of: string): string => `'pi_' || printf('%016d', ${of} - 1)`
    const copy = (table: string, changed: Readonly<Record<string, string>>, where: string): Database.Statement => {
      const columns = db.pragma(`table_info(${table})`) as { readonly name: string }[]
      const names = columns.map(({ name }) => name)
      return db.prepare(
        `with recursive n (k) as (select cast(? as integer) union all select k + 1 from n where k + 1 < ?)
         insert into main.${table} (${names.join(', ')})
         select ${names.map((name) => changed[name] ?? `t.${name}`).join(', ')}
         from n cross join temp.first_${table} t where ${where}`,
      )
    }
    const copies = [
      copy(
        'calls',
        {
          seq,
          at: at(seq),
          settled_at: at(seq),
          run: `substr(t.run, 1, instr(t.run, '_')) || ${day(seq)}`,
          object: object(seq),
          request_hash: 'lower(hex(randomblob(32)))',
          before_of_key: `${seq} - ${keys}`,
          before_of_run: `case when ${day(seq)} = ${day(`${seq} - ${keys}`)} then ${seq} - ${keys} end`,
        },
        `${seq} <= ${rows}`,
      ),
      copy(
        'entries',
        {
          seq: `(${lastEntry} + (k - 1) * ${entries} + t.rowid)`,
          at: at(callSeq),
          call_seq: callSeq,
          hash: 'lower(hex(randomblob(32)))',
        },
        `${callSeq} <= ${rows}`,
      ),
      copy('exposures', { object: object(callSeq), call_seq: callSeq }, `${callSeq} <= ${rows}`),
      copy(
        'idempotency',
        { call_seq: callSeq, hash: 'lower(hex(randomblob(32)))' },
        `${callSeq} <= ${rows} and ${callSeq} > ${rows - REMEMBERED_MS / stepMs}`,
      ),
    ]
    const copiesWanted = Math.ceil(rows / made)
    const chunk = Math.max(1, Math.floor(CHUNK / made))
    for (let k = 1; k < copiesWanted; k += chunk) {
      for (const each of copies) each.run(k, Math.min(copiesWanted, k + chunk))
    }
    sumUp(db, { keys, firstAt, stepMs }, rows)
    const last = db.prepare('select seq, hash from entries order by seq desc limit 1').get() as {
      readonly seq: number
      readonly hash: string
    }
    db.prepare(`insert or replace into marks (name, seq) values ('oldest-open', ?)`).run(rows + 1)
    db.pragma('journal_mode = wal')
    db.close()
    close(file, last)
  } finally {
    db.close()
  }
}

/** Everything that is a sum or an end of calls, by day, key and run. */
function sumUp(
  db: Database.Database,
  { keys, firstAt, stepMs }: Pick<Beginning, 'keys' | 'firstAt' | 'stepMs'>,
  rows: number,
): void {
  const one = db.prepare('select key_id, run, vendor, operation, settled from calls where seq = ?')
  const amount = (one.get(1) as { readonly settled: number }).settled
  for (const table of ['tallies', 'runs', 'counters', 'threads']) db.exec(`delete from ${table}`)
  const tally = db.prepare('insert into tallies values (?, ?, ?, ?, ?, ?, 0, ?, 0)')
  const run = db.prepare('insert into runs values (?, ?, ?, ?, 0, ?, 0, ?, ?)')
  const counter = db.prepare('insert into counters (counter, window, spent, held) values (?, ?, ?, 0)')
  const thread = db.prepare('insert or replace into threads values (?, ?)')
  const atOf = (seq: number): number => Math.floor(firstAt + seq * stepMs)
  // The first row of a day, by the same formula as the rows have their instants.
  const from = (day: number): number => Math.max(1, Math.ceil((firstDay + day * DAY_MS - firstAt) / stepMs))
  const firstDay = Math.floor(firstAt / DAY_MS) * DAY_MS
  for (let day = 0; from(day) <= rows; day++) {
    const [first, last] = [from(day), Math.min(rows, from(day + 1) - 1)]
    const label = new Date(firstDay + day * DAY_MS).toISOString().slice(0, 10)
    for (let key = 0; key < keys; key++) {
      // The key's calls are keys apart; the first of them in the day, and the last.
      const begin = first + ((((key + 1 - first) % keys) + keys) % keys)
      if (begin > last) continue
      const calls = Math.floor((last - begin) / keys) + 1
      const end = begin + (calls - 1) * keys
      const { key_id: id, run: name, vendor, operation } = one.get(begin) as Readonly<Record<string, string>>
      tally.run(label, id, name, vendor, operation, calls, calls * amount)
      run.run(name, id, vendor, calls, calls * amount, atOf(begin), atOf(end))
      counter.run(`day/${id}`, label, calls * amount)
      counter.run(`run/${id}`, name, calls * amount)
      thread.run(`run ${name}`, end)
      thread.run(`key ${id}`, end)
    }
  }
}

/**
 * Copies the first key until there are so many, each with an id, a digest and a public id of its own, under the same
 * policy. As above: what seals their rows does not hold.
 */
export function multiplyKeys(file: string, count: number): void {
  const db = new Database(file)
  try {
    for (const pragma of [
      'locking_mode = exclusive',
      'journal_mode = delete',
      'journal_mode = off',
      'synchronous = off',
    ])
      db.pragma(pragma)
    const names = (db.pragma('table_info(keys)') as { readonly name: string }[]).map(({ name }) => name)
    const changed: Readonly<Record<string, string>> = {
      seq: 't.seq + k',
      id: `'key_' || lower(hex(randomblob(10)))`,
      public_id: 'lower(hex(randomblob(16)))',
      digest: 'lower(hex(randomblob(32)))',
      name: `'agent ' || k`,
      salt: `substr(hex(randomblob(8)), 1, 16)`,
    }
    db.prepare(
      `with recursive n (k) as (select 1 union all select k + 1 from n where k + 1 < ?)
       insert into keys (${names.join(', ')}) select ${names.map((name) => changed[name] ?? `t.${name}`).join(', ')}
       from n cross join (select * from keys order by seq limit 1) t`,
    ).run(count)
    db.exec('update keys set root_id = id')
    const last = db.prepare('select seq, hash from entries order by seq desc limit 1').get() as {
      readonly seq: number
      readonly hash: string
    }
    db.pragma('journal_mode = wal')
    db.close()
    close(file, last)
  } finally {
    db.close()
  }
}

/** As a server leaves a file that it has closed: the next start then takes it for what it is. */
function close(file: string, last: { readonly seq: number; readonly hash: string }): void {
  const { size, mtimeMs } = statSync(file)
  new Fence(file).write({
    entries: last.seq,
    hash: last.hash,
    boots: 1,
    state: 'closed',
    machineStart: machineStart(),
    closed: { bytes: size, changedAt: mtimeMs },
  })
}
