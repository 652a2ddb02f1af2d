import type { Clock } from '../contracts/clock.js'
import type { Ledger } from '../contracts/ledger.js'

const DAY_MS = 86_400_000
const KEYS_A_PAGE = 1_000

/**
 * How many keys came below each root key in the last 24 hours, for a bound on those that agents issue by themselves:
 * every key stays in memory, also after its end. What was there before is counted by the ledger when a root key first
 * asks; from then on this node counts what it issues.
 */
export class Issued {
  readonly #ledger: Pick<Ledger, 'keys'>
  readonly #clock: Clock
  readonly #most: number
  /** By root key, instants in epoch ms. */
  readonly #times = new Map<string, Promise<number[]>>()

  constructor(ledger: Pick<Ledger, 'keys'>, clock: Clock, most: number) {
    this.#ledger = ledger
    this.#clock = clock
    this.#most = most
  }

  /** Takes a place and gives 0, or the milliseconds until one comes free. */
  async take(rootId: string): Promise<number> {
    const times = await this.#of(rootId)
    const now = this.#clock.now()
    const recent = times.filter((at) => at > now - DAY_MS)
    if (recent.length >= this.#most) return Math.min(...recent) + DAY_MS - now
    times.splice(0, times.length, ...recent, now)
    return 0
  }

  /** For what was not issued in the end. */
  async giveBack(rootId: string): Promise<void> {
    ;(await this.#of(rootId)).pop()
  }

  #of(rootId: string): Promise<number[]> {
    const known = this.#times.get(rootId)
    if (known !== undefined) return known
    const counted = this.#counted(rootId).catch((fault: unknown) => {
      this.#times.delete(rootId)
      throw fault
    })
    this.#times.set(rootId, counted)
    return counted
  }

  async #counted(rootId: string): Promise<number[]> {
    const since = this.#clock.now() - DAY_MS
    const times: number[] = []
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await this.#ledger.keys({ limit: KEYS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
      const recent = page.rows.filter(({ createdAt }) => createdAt > since)
      for (const key of recent) if (key.rootId === rootId && key.parentId !== null) times.push(key.createdAt)
      // Newest first: where a whole page is older, so is the rest.
      cursor = recent.length === 0 ? null : page.next
    }
    return times
  }
}
