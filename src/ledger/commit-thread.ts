import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import type { Script } from './recording.js'

type Reply = { readonly error: null } | { readonly error: { readonly code?: string; readonly message: string } }

/** The thread ended, maybe with a transaction under way: only the file says whether that is in it. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded'
}

/** What runs recorded transactions elsewhere. */
export type Writer = Pick<CommitThread, 'ready' | 'run' | 'close'>

/**
 * Runs recorded transactions on a connection of its own, so that writing and waiting for the disk hold up no call. One
 * at a time: the next may be decided only on what this one came to.
 */
export class CommitThread {
  readonly #worker: Worker
  #why = ''
  #waiting: { readonly resolve: () => void; readonly reject: (cause: Error) => void } | null = null
  #ended = false
  /** Resolves when it can be given work, rejects when it never will. */
  readonly ready: Promise<void>

  /** @param sqlite the module that is SQLite there */
  constructor(file: string, sqlite = createRequire(import.meta.url).resolve('better-sqlite3')) {
    // As text, because it is to run from the sources as well as from what is built of them.
    this.#worker = new Worker(RUN, { eval: true, workerData: { sqlite, file }, name: 'spendgate-ledger', execArgv: [] })
    this.ready = this.#reply()
    this.#worker.on('message', ({ error }: Reply) => {
      const waiting = this.#waiting
      this.#waiting = null
      // An idle thread does not keep a process that has nothing else to do.
      this.#worker.unref()
      if (error === null) waiting?.resolve()
      else
        waiting?.reject(Object.assign(new Error(error.message), error.code === undefined ? {} : { code: error.code }))
    })
    // The end follows, and says why.
    this.#worker.on('error', ({ message }) => (this.#why = `: ${message}`))
    this.#worker.on('exit', () => {
      this.#ended = true
      this.#waiting?.reject(new ThreadEnded(`the ledger’s thread ended${this.#why}`))
      this.#waiting = null
    })
  }

  get ended(): boolean {
    return this.#ended
  }

  /**
   * Resolves when the transaction is durable.
   *
   * @throws an error with SQLite's code when it was rolled back, ThreadEnded when nobody knows
   */
  run(script: Script): Promise<void> {
    const reply = this.#reply()
    this.#worker.postMessage(script)
    return reply
  }

  /** Closes its connection. Nothing may be under way. */
  async close(): Promise<void> {
    if (this.#ended) return
    this.#worker.ref()
    const gone = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.postMessage(null)
    await gone
  }

  #reply(): Promise<void> {
    this.#worker.ref()
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }
}

// What src/ledger/open.ts sets for a connection holds here too.
const RUN = `
const { parentPort, workerData } = require('node:worker_threads')
const Database = require(workerData.sqlite)
const db = new Database(workerData.file, { timeout: 100, fileMustExist: true })
for (const each of ['synchronous = FULL', 'foreign_keys = ON', 'trusted_schema = OFF', 'temp_store = MEMORY',
  'cache_size = -8000', 'journal_size_limit = 67108864', 'secure_delete = FAST']) db.pragma(each)
if (db.pragma('synchronous', { simple: true }) !== 2) throw new Error('SQLite did not accept synchronous=FULL')
const statements = []
parentPort.on('message', (script) => {
  if (script === null) {
    db.close()
    parentPort.close()
    return
  }
  try {
    for (const [number, sql] of script.texts) statements[number] = db.prepare(sql)
    const { steps } = script
    for (let i = 0; i < steps.length; ) {
      const end = i + 2 + steps[i + 1]
      statements[steps[i]].run(...steps.slice(i + 2, end))
      i = end
    }
    parentPort.postMessage({ error: null })
  } catch (error) {
    // Where even that fails this thread ends, and its connection with it: then the file has nothing of the transaction,
    // and nobody meets a connection that is still inside one.
    if (db.inTransaction) db.exec('rollback')
    parentPort.postMessage({ error: { code: error.code, message: error.message } })
  }
})
parentPort.postMessage({ error: null })
`
