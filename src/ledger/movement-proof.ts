import type Database from 'better-sqlite3'

/** A movement as its last entry has it. */
interface Said {
  readonly vendor: string
  readonly credential: string
  readonly id: string
  readonly kind: string
  readonly direction: string
  readonly at: number
  readonly amount: string | null
  readonly object: string | null
  readonly call: number | null
  readonly key: string | null
  readonly root: string | null
  readonly run: string | null
  readonly counters: readonly number[]
  readonly why: string | null
}

/** Follows what entries say of money that moved without a call, and holds the table against it. Part of `verify`. */
export class MovementProof {
  readonly #rows = new Map<string, string>()
  /** The entry that first told of it numbers the row. */
  readonly #first = new Map<string, number>()
  /** Which of them count on a key: those are said once. */
  readonly #explained = new Set<string>()
  readonly #count: (ids: readonly number[], spent: bigint, held: bigint) => void

  /** @param count adds to counters what entries count on them */
  constructor(count: (ids: readonly number[], spent: bigint, held: bigint) => void) {
    this.#count = count
  }

  /** False when the entry speaks of money that an earlier one had explained. */
  follow(seq: number, amount: bigint, detail: string): boolean {
    const said = read(detail)
    if (said === null) return true
    const name = `${said.credential}\n${said.id}`
    if (this.#explained.has(name)) return false
    if (said.why === null) this.#explained.add(name)
    this.#count(said.counters, amount, 0n)
    const first = this.#first.get(name) ?? seq
    this.#first.set(name, first)
    const explained = said.why === null ? 1 : 0
    const counters = said.counters.join(',')
    const counted = String(amount)
    this.#rows.set(name, line({ ...said, seq: first, counted, counters, operation: '', explained }))
    return true
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    for (const row of db.prepare(ROWS).safeIntegers().iterate() as Iterable<Row>) {
      const name = `${row.credential}\n${row.id}`
      const proved = this.#rows.get(name)
      this.#rows.delete(name)
      if (proved === undefined) fault(`No entry says that ${row.id} moved.`)
      else if (proved !== line(row)) fault(`What is booked of the movement ${row.id} is not what its entry says.`)
    }
    for (const name of this.#rows.keys()) fault(`The movement ${name.split('\n')[1]!} has an entry and no row.`)
  }
}

const ROWS = `select seq, vendor, credential_id as credential, external_id as id, kind, direction, at, amount, object,
  call_seq as call, key_id as key, root_id as root, run, counters, why, counted, operation, explained from movements`

type Row = Readonly<Record<(typeof FIELDS)[number], bigint | number | string | null>>
const FIELDS = [
  'seq',
  'vendor',
  'credential',
  'id',
  'kind',
  'direction',
  'at',
  'amount',
  'object',
  'call',
  'key',
  'root',
  'run',
  'counters',
  'why',
  'counted',
  'operation',
  'explained',
] as const

const line = (row: Row): string =>
  JSON.stringify(FIELDS.map((field) => (row[field] === null ? null : String(row[field]))))

/** Null when somebody made it unreadable, which its hash has told already. */
function read(detail: string): Said | null {
  try {
    return JSON.parse(detail) as Said
  } catch {
    return null
  }
}
