import type { Asker } from '../../../src/wire/client/asker.js'
import type { Connection } from '../../../src/wire/client/connection.js'
import { outgoing, Outgoing } from '../../../src/wire/client/outgoing.js'
import type { Pool } from '../../../src/wire/client/pool.js'

/** What came of a request: `text` is the body, `withheld`, or why there is none. */
export interface Heard {
  readonly kind: 'reply' | 'fault' | 'withheld'
  readonly text: string
  readonly sent: boolean
  readonly timedOut: boolean
}

export interface Wish {
  readonly target?: string
  readonly method?: string
  readonly host?: string
  readonly body?: string
  readonly timeoutMs?: number
  /** Asked right before the first byte. */
  readonly gate?: () => boolean
}

export function ask(pool: Pool, wish: Wish = {}): Promise<Heard> {
  const { method = 'POST', target = '/', host = 'vendor.example', body = 'a=1' } = wish
  const made = outgoing(method, target, ['host', host], body, host)
  if (!(made instanceof Outgoing)) throw new Error(made)
  return new Promise((resolve) => pool.send(new Ask(made, wish, resolve)))
}

class Ask implements Asker {
  readonly timeoutMs: number
  #sent = false
  #text = ''

  constructor(
    readonly outgoing: Outgoing,
    readonly wish: Wish,
    readonly resolve: (heard: Heard) => void,
  ) {
    this.timeoutMs = wish.timeoutMs ?? 5_000
  }

  leaves(_connection: Connection): boolean {
    this.#sent = this.wish.gate?.() ?? true
    if (!this.#sent) this.#end('withheld', '')
    return this.#sent
  }

  onHead(): void {}

  onPiece(bytes: Buffer, from: number, to: number): null {
    this.#text += bytes.toString('latin1', from, to)
    return null
  }

  onEnd(): void {
    this.#end('reply', this.#text)
  }

  onFault(message: string, timedOut: boolean): void {
    this.#end('fault', message, timedOut)
  }

  #end(kind: Heard['kind'], text: string, timedOut = false): void {
    this.resolve({ kind, text, sent: this.#sent, timedOut })
  }
}
