import { createHash } from 'node:crypto'
import type { Loop } from './loop.js'

/** What happened in a schedule, line by line, and how often what. */
export class Trace {
  readonly lines: string[] = []
  readonly counts = new Map<string, number>()
  readonly #loop: Loop

  constructor(loop: Loop) {
    this.#loop = loop
  }

  say(line: string): void {
    this.lines.push(`${String(this.#loop.now).padStart(9)} ${line}`)
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  /** Equal for two runs exactly when the same happened in the same order. */
  hash(): string {
    return createHash('sha256').update(this.lines.join('\n')).digest('hex')
  }
}
