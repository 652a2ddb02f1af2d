import type { PriceTable } from '../../contracts/vendor.js'
import type { Context } from '../context.js'
import { located, plain, readSource } from '../documents.js'
import { CliFault, Exit } from '../exit.js'
import { facts, table } from '../output.js'

export async function show(context: Context, _options: unknown, vendor: string): Promise<number> {
  const api = await context.api()
  showPrices(context, await api.get<PriceTable>(path(vendor)))
  return Exit.ok
}

export async function importFile(context: Context, _options: unknown, vendor: string, file: string): Promise<number> {
  const source = await readSource(context, file)
  const prices = decimalsAsText(plain(source))
  const api = await context.api()
  try {
    showPrices(context, await api.put<PriceTable>(path(vendor), prices))
    return Exit.ok
  } catch (error) {
    throw error instanceof CliFault ? located(error, source) : error
  }
}

const path = (vendor: string): string => `/prices/${encodeURIComponent(vendor)}`

/** Prices written as whole numbers become decimal text like the others; `max_age_days` alone is a number. */
function decimalsAsText(value: unknown, name = ''): unknown {
  if (typeof value === 'number' && name !== 'max_age_days') return String(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, decimalsAsText(below, key)]))
}

function showPrices(context: Context, prices: PriceTable): void {
  if (context.json) return context.reply(prices)
  context.show(
    facts(context.style, [
      ['as of', prices.as_of],
      ['stale after', `${prices.max_age_days} days`],
      ['factor when reserving', prices.safety],
      ['source', prices.source],
    ]),
  )
  const prefixes = Object.entries(prices.prefixes ?? {}).flatMap(([section, rows]) =>
    Object.entries(rows).map(([prefix, row]) => [
      section,
      prefix,
      Object.entries(row)
        .map(([name, text]) => `${name} ${text}`)
        .join(', '),
    ]),
  )
  const flat = Object.entries(prices.flat ?? {}).map(([name, text]) => ['flat', name, text])
  context.show(table(context.style, [{ title: 'SECTION' }, { title: 'FOR' }, { title: 'USD' }], [...prefixes, ...flat]))
}
