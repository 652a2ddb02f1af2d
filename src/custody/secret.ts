import { createHash } from 'node:crypto'
import { inspect } from 'node:util'

/**
 * A secret on its way through the program. Whatever prints it (a template, JSON, a logger, an assertion) sees its
 * fingerprint; only `reveal` gives the text, at the one place that needs it.
 */
export class Secret {
  readonly #text: string
  readonly fingerprint: string

  /** Without a fingerprint: eight hex characters of SHA-256, which is safe to print for high-entropy texts only. */
  constructor(text: string, fingerprint: string = createHash('sha256').update(text).digest('hex').slice(0, 8)) {
    this.#text = text
    this.fingerprint = fingerprint
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return `[secret ${this.fingerprint}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}
