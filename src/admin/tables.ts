import type { z } from 'zod'
import type { CredentialRecord } from '../contracts/ledger.js'
import type { PriceTable } from '../contracts/vendor.js'
import { SealFault } from '../custody/seal.js'
import type { AdminDeps, PriceSync } from './deps.js'
import { Problem, conflict, invalid, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { faultsOf, newPrices, newRates, priceSyncReply, priceSyncRequest, pricesReply, ratesReply } from './schemas.js'

/** Tables are dated by days; one of tomorrow is right in a time zone ahead of UTC. */
const AHEAD_MS = 86_400_000
const NO_RATES = { as_of: null, usd_per: {}, haircut: '0.03', max_age_days: 30 }
const NO_PRICES = { as_of: null, max_age_days: 30, safety: '1', prefixes: {}, flat: {} }
/** Leaps named one by one. */
const LEAPS_MAX = 100

/** Exchange rates and price tables, which the operator keeps. */
export function tableRoutes(deps: AdminDeps): Route[] {
  const { ledger, clock } = deps
  const checkDate = (asOf: string): void => {
    if (Date.parse(asOf) > clock.now() + AHEAD_MS)
      throw invalid('as_of', 'lies in the future; a table cannot be newer than today')
  }
  const store = async (name: string, value: unknown, actor: string): Promise<void> => {
    await ledger.putSetting(name, value, actor)
    deps.onTablesChanged()
  }
  const vendorOf = (name: string): (typeof deps.vendors)[number] =>
    deps.vendors.find((vendor) => vendor.name === name) ?? noVendor()

  return [
    route({
      method: 'get',
      path: '/admin/v1/rates',
      needs: 'viewer',
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
      run: async ({ body, actor }) => {
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
        await store('rates', rates, actor)
        return rates
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/prices/{vendor}',
      needs: 'viewer',
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
      run: async ({ param, body, actor }) => {
        const vendor = vendorOf(param('vendor'))
        checkDate(body.as_of)
        await store(`prices:${vendor.name}`, body, actor)
        return body
      },
    }),
    ...Object.entries(deps.priceSyncs ?? {}).flatMap(([vendor, sync]) =>
      syncRoutes(deps, vendor, sync, (table, actor) => store(`prices:${vendor}`, table, actor)),
    ),
  ]
}

type SyncView = z.output<typeof priceSyncReply>
const IDLE: SyncView = {
  state: 'idle',
  done: 0,
  of: 0,
  message: null,
  rows: {},
  kept: [],
  gone: 0,
  leaps: [],
  started_at: null,
  finished_at: null,
}

/** Making a table from the vendor's own lists takes minutes: it is started, and looked at until it is over. */
function syncRoutes(
  deps: AdminDeps,
  vendor: string,
  sync: PriceSync,
  store: (table: PriceTable, actor: string) => Promise<void>,
): Route[] {
  const { ledger, clock } = deps
  const now = (): string => new Date(clock.now()).toISOString()
  let view = IDLE

  const run = async (credential: CredentialRecord, confirmed: boolean, actor: string): Promise<void> => {
    const inForce = (ledger.setting(`prices:${vendor}`) ??
      deps.vendors.find((each) => each.name === vendor)?.prices ?? {
        ...NO_PRICES,
        as_of: now().slice(0, 10),
      }) as PriceTable
    const asOf = now().slice(0, 10)
    const walked = (done: number, of: number): void => void (view = { ...view, done, of })
    const made = await sync(credential, { inForce, asOf, walked })
    if ('why' in made) return end({ state: 'failed', message: `${made.why} Nothing was stored.` })
    const { table } = made
    const parsed = newPrices.safeParse(table)
    if (!parsed.success) {
      const [fault] = faultsOf(parsed.error)
      return end({ state: 'failed', message: `${fault!.path}: ${fault!.message}. Nothing was stored.` })
    }
    const leaps = leapsBetween(inForce, table)
    view = { ...view, ...changesOf(inForce, table), leaps: leaps.slice(0, LEAPS_MAX) }
    if (leaps.length > 0 && !confirmed) {
      const what = leaps.length === 1 ? '1 price changes' : `${leaps.length} prices change`
      const message = `${what} by more than 20 %. Check, and send "confirm": true if it is right. Nothing was stored.`
      return end({ state: 'confirm_required', message })
    }
    await store(table, actor)
    end({ state: 'done', message: null })
  }
  const end = (last: Pick<SyncView, 'state' | 'message'>): void =>
    void (view = { ...view, ...last, finished_at: now() })

  return [
    route({
      method: 'post',
      path: `/admin/v1/prices/${vendor}/sync`,
      summary: `Make the price table of ${vendor} from its own price lists; a change by more than 20 % needs "confirm": true`,
      body: priceSyncRequest,
      reads: 'optional',
      status: 202,
      reply: priceSyncReply,
      run: ({ body, actor }) => {
        if (view.state === 'running') throw conflict('The prices are being read already. Look again in a while.')
        const credential = credentialFor(deps, vendor, body.credential)
        view = { ...IDLE, state: 'running', started_at: now() }
        void run(credential, body.confirm === true, actor).catch((fault: unknown) => {
          deps.onFault?.(fault)
          const why = fault instanceof SealFault ? fault.message : 'This is a fault of spendgate. See the server log.'
          end({ state: 'failed', message: `${why} Nothing was stored.` })
        })
        return view
      },
    }),
    route({
      method: 'get',
      path: `/admin/v1/prices/${vendor}/sync`,
      needs: 'viewer',
      summary: `How far the last reading of the prices of ${vendor} is`,
      status: 200,
      reply: priceSyncReply,
      run: () => view,
    }),
  ]
}

function credentialFor({ ledger }: AdminDeps, vendor: string, wanted: string | undefined): CredentialRecord {
  const all = ledger.credentials().filter((record) => record.vendor === vendor)
  const found =
    wanted === undefined
      ? all
      : all.filter(({ id, name }) => id === wanted || name === wanted || `${vendor}/${name}` === wanted)
  const [credential, other] = found
  if (!credential)
    throw invalid(
      'credential',
      wanted === undefined
        ? `There is no credential of ${vendor}. Add one: spendgate credential add ${vendor}.`
        : `There is no credential of ${vendor} of this id or name.`,
    )
  if (other) throw invalid('credential', `There are several credentials of ${vendor}. Name one.`)
  return credential
}

/** Every price that both tables have and that changes by more than 20 %. */
function leapsBetween(before: PriceTable, after: PriceTable): SyncView['leaps'] {
  const old = pricesIn(before)
  return [...pricesIn(after)].flatMap(([path, price]) => {
    const was = old.get(path)
    return was !== undefined && leapsOver20Percent(was, price)
      ? [{ path, message: `changes from ${was} to ${price}` }]
      : []
  })
}

function pricesIn(table: PriceTable): Map<string, string> {
  const prices = new Map<string, string>()
  for (const [section, rows] of Object.entries(table.prefixes))
    for (const [prefix, row] of Object.entries(rows))
      for (const [column, text] of Object.entries(row))
        if (/^[0-9]/.test(text)) prices.set(`prefixes.${section}.${prefix}.${column}`, text)
  for (const [name, text] of Object.entries(table.flat)) prices.set(`flat.${name}`, text)
  return prices
}

function changesOf(before: PriceTable, after: PriceTable): Pick<SyncView, 'rows' | 'kept' | 'gone'> {
  const prefixes = (table: PriceTable): string[] =>
    Object.entries(table.prefixes).flatMap(([section, rows]) => Object.keys(rows).map((prefix) => section + prefix))
  const left = new Set(prefixes(after))
  return {
    rows: {
      ...Object.fromEntries(
        Object.entries(after.prefixes).map(([section, rows]) => [section, Object.keys(rows).length]),
      ),
      flat: Object.keys(after.flat).length,
    },
    kept: Object.keys(after.flat).filter((name) => before.flat[name] === after.flat[name]),
    gone: prefixes(before).filter((prefix) => !left.has(prefix)).length,
  }
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
