import { priced, type Rates, type Usd } from '../../src/contracts/money.js'
import type { DaySum, Moved, Movements, Reach } from '../../src/contracts/records.js'
import { clientFor, read } from './records.js'

const DAY_MS = 86_400_000
const PAGE = 1000
/** Pages of each list in one reading. What is beyond them is told by the sums of the day. */
const PAGES_MAX = 5
/** Lists are sorted by an instant that may be hours from the creation (a message that waited). */
const DISORDER_MS = DAY_MS

/**
 * Twilio knows no request that caused a message, but lists every one: what was sent or dialled by the API and is no
 * call's of ours went around the gate. What it all cost stands in the sums of each day, with what no list shows
 * (look-ups, numbers, what came in).
 */
export const movements: Movements = {
  beginsNow: true,
  async *read(range, reach) {
    const client = await clientFor(reach)
    const asked = { pageSize: PAGE }
    yield* listed(
      'messages',
      () => client.messages.page(asked),
      (each) => shown('message', each),
      range,
      reach,
    )
    yield* listed(
      'calls',
      () => client.calls.page(asked),
      (each) => shown('call', each),
      range,
      reach,
    )
  },

  // docs: twilio.com/docs/usage/api/usage-record, November 2026. Days are GMT; subaccounts are other credentials.
  async days(range, reach): Promise<readonly DaySum[]> {
    if (range.from >= range.to) return []
    const client = await clientFor(reach)
    const records = await read('usage records', () =>
      client.usage.records.daily.list({
        category: 'totalprice',
        includeSubaccounts: false,
        startDate: new Date(range.from),
        endDate: new Date(range.to - DAY_MS),
        limit: PAGE,
      }),
    )
    return records.flatMap(({ startDate, price, priceUnit }) => {
      // Typed as a Date and a number; Twilio sends texts.
      const day = dayOf(startDate)
      const amount = inUsd(String(price), priceUnit, reach.rates)
      const from = Date.parse(`${day}T00:00:00Z`)
      return amount === null || Number.isNaN(from) ? [] : [{ day, from, to: from + DAY_MS, amount }]
    })
  },
}

const dayOf = (date: Date | string): string =>
  (typeof date === 'string' ? date : Number.isNaN(date.getTime()) ? '' : date.toISOString()).slice(0, 10)

/** A message or call as a list shows it. */
interface Listed {
  readonly sid: string
  readonly kind: string
  readonly at: number
  /** `outbound-api` for what a request began. */
  readonly direction: string
  readonly price: string | null
  readonly unit: string | null
}
/** What messages and calls have in common, as Twilio's client gives them. */
interface Priced {
  readonly sid: string
  readonly dateCreated: Date
  readonly direction: string
  readonly price: string | null
  readonly priceUnit: string | null
}
const shown = (kind: string, { sid, dateCreated, direction, price, priceUnit }: Priced): Listed => ({
  sid,
  kind,
  at: dateCreated.getTime(),
  direction,
  price,
  unit: priceUnit,
})

/** A page as Twilio's client gives it. */
interface Page<T> {
  readonly instances: T[]
  readonly nextPageUrl?: string
  nextPage(): Promise<Page<T>> | undefined
}

async function* listed<T>(
  what: string,
  first: () => Promise<Page<T>>,
  row: (each: T) => Listed,
  { from, to }: { readonly from: number; readonly to: number },
  { rates }: Reach,
): AsyncGenerator<Moved> {
  let page: Page<T> | undefined = await read(what, first)
  for (let count = 0; page !== undefined && count < PAGES_MAX; count++) {
    const rows = page.instances.map(row)
    // Twilio writes whole seconds.
    const since = Math.floor(from / 1000) * 1000
    for (const each of rows)
      if (each.direction === 'outbound-api' && each.at >= since && each.at < to) yield movedBy(each, rates)
    const oldest = rows.at(-1)
    if (page.nextPageUrl === undefined || oldest === undefined || oldest.at < from - DISORDER_MS) return
    const next: Promise<Page<T>> | undefined = page.nextPage()
    page = next && (await read(what, () => next))
  }
}

const movedBy = ({ sid, kind, at, price, unit }: Listed, rates: Rates): Moved => ({
  id: sid,
  at,
  kind,
  direction: 'out',
  cause: 'request',
  objects: [sid],
  makes: [],
  complete: true,
  upstreamKey: null,
  requestId: null,
  amount: price === null ? null : inUsd(price, unit ?? 'usd', rates),
  record: null,
})

/** Prices are decimal texts, negative where they are charged. Null for what is none, or in a currency without a rate. */
function inUsd(price: string, unit: string, rates: Rates): Usd | null {
  const plain = /^-?([0-9]{1,12}(?:\.[0-9]{1,12})?)$/.exec(price)?.[1]
  if (plain === undefined) return null
  const currency = unit.toLowerCase()
  return currency === 'usd' ? priced(plain, '1') : (rates.convert(plain, 0, currency)?.settle ?? null)
}
