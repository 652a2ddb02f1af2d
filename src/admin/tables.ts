import type { AdminDeps } from './deps.js'
import { ACTOR } from './issue.js'
import { Problem, invalid, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { newPrices, newRates, pricesReply, ratesReply } from './schemas.js'

/** Tables are dated by days; one of tomorrow is right in a time zone ahead of UTC. */
const AHEAD_MS = 86_400_000
const NO_RATES = { as_of: null, usd_per: {}, haircut: '0.03', max_age_days: 30 }
const NO_PRICES = { as_of: null, max_age_days: 30, safety: '1', prefixes: {}, flat: {} }

/** Exchange rates and price tables, which the operator keeps. */
export function tableRoutes(deps: AdminDeps): Route[] {
  const { ledger, clock } = deps
  const checkDate = (asOf: string): void => {
    if (Date.parse(asOf) > clock.now() + AHEAD_MS)
      throw invalid('as_of', 'lies in the future; a table cannot be newer than today')
  }
  const store = async (name: string, value: unknown): Promise<void> => {
    await ledger.putSetting(name, value, ACTOR)
    deps.onTablesChanged()
  }
  const vendorOf = (name: string): (typeof deps.vendors)[number] =>
    deps.vendors.find((vendor) => vendor.name === name) ?? noVendor()

  return [
    route({
      method: 'get',
      path: '/admin/v1/rates',
      summary: 'The exchange rates in force',
      status: 200,
      reply: ratesReply,
      run: () => ledger.setting('rates') ?? NO_RATES,
    }),
    route({
      method: 'put',
      path: '/admin/v1/rates',
      summary: 'Replace the exchange rates; a change by more than 20 % needs "confirm": true',
      body: newRates,
      status: 200,
      reply: ratesReply,
      run: async ({ body }) => {
        const { confirm, ...rates } = body
        checkDate(rates.as_of)
        const old = (ledger.setting('rates') ?? NO_RATES) as { readonly usd_per: Readonly<Record<string, string>> }
        const leaps = Object.entries(rates.usd_per).filter(([currency, rate]) => {
          const before = Object.hasOwn(old.usd_per, currency) ? old.usd_per[currency] : undefined
          return before !== undefined && leapsOver20Percent(before, rate)
        })
        if (leaps.length > 0 && confirm !== true) {
          throw new Problem(
            'confirm_required',
            'A rate changes by more than 20 %. Check it, and send "confirm": true if it is right. Nothing was stored.',
            leaps.map(([currency, rate]) => ({
              path: `usd_per.${currency}`,
              message: `changes from ${old.usd_per[currency]} to ${rate}`,
            })),
          )
        }
        await store('rates', rates)
        return rates
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/prices/{vendor}',
      summary: "A vendor's price table: the operator's, or the one shipped with the vendor",
      status: 200,
      reply: pricesReply,
      run: ({ param }) => {
        const vendor = vendorOf(param('vendor'))
        return ledger.setting(`prices:${vendor.name}`) ?? vendor.prices ?? NO_PRICES
      },
    }),
    route({
      method: 'put',
      path: '/admin/v1/prices/{vendor}',
      summary: "Replace a vendor's price table",
      body: newPrices,
      status: 200,
      reply: pricesReply,
      run: async ({ param, body }) => {
        const vendor = vendorOf(param('vendor'))
        checkDate(body.as_of)
        await store(`prices:${vendor.name}`, body)
        return body
      },
    }),
  ]
}

const noVendor = (): never => {
  throw notFound('vendor')
}

/** In whole units of 10^-12, so that no float judges a rate. */
const exact = (decimal: string): bigint => {
  const [whole, fraction = ''] = decimal.split('.')
  return BigInt(whole! + fraction.padEnd(12, '0'))
}

function leapsOver20Percent(before: string, after: string): boolean {
  const change = exact(after) - exact(before)
  return (change < 0n ? -change : change) * 5n > exact(before)
}
