import { createHash, randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { request } from 'undici'
import type { RecordedRequest } from '../../fixtures/simulators/harness.js'

/** A request that changes something, as the vendor saw it. */
export interface Arrived {
  /** The hash spendgate gives the same request (src/wire/prepare.ts): what was judged must be what was sent. */
  readonly hash: string
  readonly complete: boolean
  readonly idempotencyKey: string | null
  /** Minor units that really moved because of it. */
  readonly cents: number
}

/** The simulator's own record of what reached it: written before it answers, and by no part of spendgate. */
export class VendorRecord {
  readonly #fd: number
  readonly #origin: string
  #offset = 0
  #rest = ''

  constructor(file: string, origin: string) {
    this.#fd = openSync(file, 'r')
    this.#origin = origin
  }

  /**
   * What arrived since it was last asked. A killed server's last bytes may still be in a socket's buffer, so the
   * simulator is asked twice something of our own: what came before that is read before it.
   */
  async news(): Promise<readonly Arrived[]> {
    for (let i = 0; i < 2; i++) {
      const answer = await request(`${this.#origin}/v1/barrier/${randomUUID()}`)
      await answer.body.dump()
    }
    return this.#lines()
      .filter((line) => line.method === 'POST')
      .map((line) => ({
        hash: createHash('sha256').update(`${line.method} api.stripe.com${line.path}\n\n${line.body}`).digest('hex'),
        complete: line.complete,
        idempotencyKey: line.idempotencyKey,
        cents: line.moved.reduce((total, each) => total + (each.amount ?? 0), 0),
      }))
  }

  close(): void {
    closeSync(this.#fd)
  }

  #lines(): readonly RecordedRequest[] {
    const chunk = Buffer.alloc(1024 * 1024)
    let text = this.#rest
    for (;;) {
      const bytes = readSync(this.#fd, chunk, 0, chunk.length, this.#offset)
      if (bytes === 0) break
      this.#offset += bytes
      // Everything in a line is ASCII: the calls are ours.
      text += chunk.toString('latin1', 0, bytes)
    }
    const lines = text.split('\n')
    this.#rest = lines.pop()!
    return lines.map((line) => JSON.parse(line) as RecordedRequest)
  }
}
