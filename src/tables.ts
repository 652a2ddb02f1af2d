import type { Clock } from './contracts/clock.js'
import type { Ledger } from './contracts/ledger.js'
import { onePlus, priced, usd, type Converted, type Rates } from './contracts/money.js'
import type { Prices, PriceTable, Vendor } from './contracts/vendor.js'
import { daysLeft, staleAfter, type Dated } from './dated.js'
import type { Log } from './log.js'

const DAY_MS = 86_400_000
/** Days before a table goes stale from which the operator is told, once a day. */
const NOTICE_DAYS = 7
type Row = Readonly<Record<string, string>>

/** What the operator sets with `PUT /rates`; the admin API checks it before it is stored. */
export interface RateTable {
  readonly as_of: string
  /** USD for one major unit, by lower-case currency. */
  readonly usd_per: Row
  /** Share added when reserving: "0.03". */
  readonly haircut: string
  readonly max_age_days: number
}

/** The operator's rate and price tables, as the ledger keeps them; a vendor's shipped prices stand in until they are set. */
export class Tables {
  readonly rates: Rates
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #log: Log | null
  readonly #shipped: ReadonlyMap<string, PriceTable | undefined>
  readonly #prices = new Map<string, Prices>()
  #table: RateTable | null = null
  /** Every table in force that can go stale, by the name it has in metrics. */
  readonly #dated = new Map<string, Dated>()
  #lookAgainAt = 0
  /** The tables that are in force, as they were read. */
  #text: string | null = null

  /** @param log told once a day of tables that go stale within a week, or are */
  constructor(ledger: Ledger, vendors: readonly Vendor[], clock: Clock, log: Log | null = null) {
    this.#ledger = ledger
    this.#clock = clock
    this.#log = log
    this.#shipped = new Map(vendors.map((vendor) => [vendor.name, vendor.prices]))
    this.rates = {
      convert: (minor, exponent, currency) => this.#convert(minor, exponent, currency),
      why: (currency) => this.#why(currency),
    }
    this.reload()
  }

  /** To be called when a table was changed, or may have been by another node. */
  reload(): void {
    const kept = ['rates', ...[...this.#shipped.keys()].map((vendor) => `prices:${vendor}`)]
    const text = JSON.stringify(kept.map((name) => this.#ledger.setting(name) ?? null))
    if (text === this.#text) return
    this.#text = text
    this.#table = (this.#ledger.setting('rates') as RateTable | undefined) ?? null
    this.#dated.clear()
    if (this.#table !== null) this.#dated.set('rates', this.#table)
    for (const [vendor, shipped] of this.#shipped) {
      const table = (this.#ledger.setting(`prices:${vendor}`) as PriceTable | undefined) ?? shipped ?? null
      this.#prices.set(vendor, new Priced(table, this.#clock))
      if (table !== null) this.#dated.set(`prices_${vendor}`, table)
    }
    this.#warn()
  }

  prices(vendor: string): Prices {
    if (this.#clock.now() >= this.#lookAgainAt) this.#warn()
    return this.#prices.get(vendor)!
  }

  /** For `/metrics`: days until each table is stale; zero or less once it is. One series a table, so their number is bounded. */
  gauges(): Readonly<Record<string, number>> {
    if (this.#clock.now() >= this.#lookAgainAt) this.#warn()
    return Object.fromEntries(
      [...this.#dated].map(([name, table]) => [
        `spendgate_table_stale_in_days{table="${name}"}`,
        daysLeft(table, this.#clock.now()),
      ]),
    )
  }

  #warn(): void {
    const now = this.#clock.now()
    this.#lookAgainAt = now + DAY_MS
    for (const [name, table] of this.#dated) {
      const left = daysLeft(table, now)
      if (left > NOTICE_DAYS) continue
      this.#log?.('warn', left > 0 ? 'table_goes_stale' : 'table_is_stale', {
        table: name,
        as_of: table.as_of,
        stale_in_days: left,
        renew: name === 'rates' ? 'spendgate rates set' : 'spendgate prices import',
      })
    }
  }

  #convert(minor: string, exponent: number, currency: string): Converted | null {
    const perMinor = `1e-${exponent}`
    // The common case, without a decimal library on the way: a cent is 10,000 micro-USD.
    if (currency === 'usd' && exponent === 2 && /^\d{1,15}$/.test(minor)) {
      const exact = usd(BigInt(minor) * 10_000n)
      return { reserve: exact, settle: exact }
    }
    if (currency === 'usd') {
      const exact = priced(minor, perMinor)
      return { reserve: exact, settle: exact }
    }
    const table = this.#table
    const rate = table?.usd_per[currency]
    if (table === null || rate === undefined || stale(table, this.#clock)) return null
    return { reserve: priced(minor, perMinor, onePlus(table.haircut, rate)), settle: priced(minor, perMinor, rate) }
  }

  #why(currency: string): string {
    const name = currency.toUpperCase()
    if (this.#table === null)
      return `No exchange rates are set, so an amount in ${name} cannot be counted in USD (operator: spendgate rates set).`
    if (stale(this.#table, this.#clock))
      return `The exchange rates of ${this.#table.as_of} are older than ${this.#table.max_age_days} days (operator: spendgate rates set).`
    return `No exchange rate is set for ${name} (operator: spendgate rates set).`
  }
}

const stale = (table: Dated, clock: Clock): boolean => clock.now() > staleAfter(table)

class Priced implements Prices {
  readonly safety: string
  readonly #table: PriceTable | null
  readonly #clock: Clock

  constructor(table: PriceTable | null, clock: Clock) {
    this.#table = table
    this.#clock = clock
    this.safety = table?.safety ?? '1'
  }

  prefix(section: string, key: string): Row | null {
    const rows = this.#fresh()?.prefixes[section]
    if (rows === undefined) return null
    for (let length = key.length; length > 0; length--) {
      const row = rows[key.slice(0, length)]
      if (row !== undefined) return row
    }
    return null
  }

  flat(name: string): string | null {
    return this.#fresh()?.flat[name] ?? null
  }

  why(what: string): string {
    if (this.#table === null)
      return `No price table is set, so ${what} has no price (operator: spendgate prices import).`
    if (stale(this.#table, this.#clock))
      return `The price table of ${this.#table.as_of} is older than ${this.#table.max_age_days} days, so ${what} has no price (operator: spendgate prices import).`
    return `The price table has no price for ${what} (operator: spendgate prices import).`
  }

  #fresh(): PriceTable | null {
    return this.#table !== null && !stale(this.#table, this.#clock) ? this.#table : null
  }
}
