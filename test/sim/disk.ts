import Database from 'better-sqlite3'
import { migrations } from '../../src/ledger/open.js'
import { LateStatement } from './late-statement.js'
import { Reader } from './rows.js'

/** What the next writes meet. */
export type DiskFault = 'begin' | 'write' | 'commit'

/** The process ends in the middle of a commit: before anything of it is durable, or when all of it is. */
export type CommitCrash = 'before' | 'after'

/** An empty book by the product's own migrations. */
export function emptyImage(): Buffer {
  const db = new Database(':memory:')
  for (const { sql, version } of migrations()) {
    db.exec(sql)
    db.pragma(`user_version = ${version}`)
  }
  const image = db.serialize()
  db.close()
  return image
}

/**
 * The one disk of a schedule. What is durable is what was committed: a crash leaves exactly that, and the next process
 * opens it.
 */
export class Disk {
  /** Why writes fail at present; null when they do not. */
  fault: DiskFault | null = null
  /** When what is being committed was decided, by both clocks, where that was in an earlier turn. */
  decided: { readonly wall: number; readonly monotonic: number } | null = null
  /** The next commit is the process's last. */
  crash: CommitCrash | null = null
  /** Told of each commit that has become durable. */
  onCommit: () => void = () => {}
  /** Told when the process ends in a commit. */
  onCrash: () => void = () => {}
  readonly #image: Buffer
  readonly #rewrite: (sql: string) => string
  #db: Database.Database | null = null
  #book: Reader | null = null
  #dead = false

  /**
   * @param first what is on it
   * @param rewrite turns the product's SQL into that of a planted bug
   */
  constructor(first: Buffer, rewrite: (sql: string) => string = (sql) => sql) {
    this.#image = first
    this.#rewrite = rewrite
  }

  /** What the last commit left. */
  get image(): Buffer {
    return this.#db?.serialize() ?? this.#image
  }

  /** Looks into the file between the product's own steps. */
  get book(): Reader {
    if (this.#book === null) throw new Error('no process has the database open')
    return this.#book
  }

  /** A process has ended. From here on nothing that still runs of it gets to the disk. */
  die(): void {
    this.#dead = true
  }

  /** The database for the next process, as the last commit left it. */
  open(): Database.Database {
    const { image } = this
    this.#db?.close()
    this.#dead = false
    this.crash = null
    const db = new Database(image)
    db.pragma('foreign_keys = ON')
    db.pragma('trusted_schema = OFF')
    this.#db = db
    this.#book = new Reader(db)
    this.#watch(db)
    return db
  }

  close(): void {
    this.#db?.close()
    this.#db = null
  }

  /** Statements are the product's own; only these three ask first whether the disk is well. */
  #watch(db: Database.Database): void {
    const prepare = db.prepare.bind(db)
    const watched = (source: string): LateStatement => {
      const sql = this.#rewrite(source)
      const point = pointOf(sql)
      if (point === null) return new LateStatement(() => prepare(sql))
      return new LateStatement(() => {
        const statement = prepare(sql)
        const run = statement.run.bind(statement)
        statement.run = (...values: unknown[]) => this.#ask(point, () => run(...values))
        return statement
      })
    }
    db.prepare = watched as unknown as typeof db.prepare
  }

  #ask(point: DiskFault, run: () => Database.RunResult): Database.RunResult {
    if (this.#dead) throw diskFull('the process has ended')
    if (this.fault === point) throw diskFull('database or disk is full')
    if (point !== 'commit') return run()
    const { crash } = this
    this.crash = null
    if (crash === 'before') this.#end()
    const result = run()
    this.onCommit()
    if (crash === 'after') this.#end()
    return result
  }

  #end(): never {
    this.#dead = true
    this.onCrash()
    throw diskFull('the process has ended')
  }
}

const pointOf = (sql: string): DiskFault | null =>
  /^\s*begin\b/i.test(sql)
    ? 'begin'
    : /^\s*commit\b/i.test(sql)
      ? 'commit'
      : /^\s*insert into entries\b/i.test(sql)
        ? 'write'
        : null

const diskFull = (message: string): Error => Object.assign(new Error(message), { code: 'SQLITE_FULL' })
