import { createHash } from 'node:crypto'
import type { Clock } from '../contracts/clock.js'
import type { Ledger } from '../contracts/ledger.js'
import type { Alert } from './alert.js'

export const SENT_SETTING = 'alerts.sent'
/** The setting is written whole into the audit trail each time, so it stays small: about 15 KB at most. */
const KEPT_MAX = 500
/** From so many on, what is over is forgotten. */
const TOLD_MAX = 10_000

/** Until when each is not told again, Unix seconds, by a digest of its name. */
type Kept = Readonly<Record<string, number>>

/** What was told, kept in the ledger: a restart does not tell it again, nor does another node. */
export class Sent {
  readonly #ledger: Pick<Ledger, 'setting' | 'putSetting'>
  readonly #clock: Clock
  /** What this server told, as far as it is not over: what the setting has no room for is told again after a restart only. */
  readonly #told = new Map<string, number>()

  constructor(ledger: Pick<Ledger, 'setting' | 'putSetting'>, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
  }

  has(name: string): boolean {
    const digest = digestOf(name)
    const until = this.#told.get(digest) ?? this.#kept()[digest]
    return until !== undefined && until * 1000 > this.#clock.now()
  }

  /** @throws LedgerFault when it cannot be written; it is then told again after a restart */
  async add(alerts: readonly Alert[]): Promise<void> {
    const nowS = this.#clock.now() / 1000
    const fresh = alerts.flatMap(({ name, covers, until }) =>
      [name, ...covers].map((each): [string, number] => [digestOf(each), Math.ceil(until / 1000)]),
    )
    for (const [digest, until] of fresh) this.#told.set(digest, until)
    if (this.#told.size > TOLD_MAX)
      for (const [digest, until] of this.#told) if (until <= nowS) this.#told.delete(digest)
    const all = Object.entries({ ...this.#kept(), ...Object.fromEntries(fresh) })
    // What ends soonest is let go first, if it must be.
    const standing = all.filter(([, until]) => until > nowS).sort(([, a], [, b]) => b - a)
    await this.#ledger.putSetting(SENT_SETTING, Object.fromEntries(standing.slice(0, KEPT_MAX)), 'alerts')
  }

  #kept(): Kept {
    return (this.#ledger.setting(SENT_SETTING) as Kept | undefined) ?? {}
  }
}

const digestOf = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 16)
