import { daysLeft, staleAfter } from '../../dated.js'
import type { Context } from '../context.js'
import { located, plain, readSource } from '../documents.js'
import { CliFault, Exit, usage } from '../exit.js'
import { facts, table } from '../output.js'
import type { RatesReply } from '../replies.js'
import { today } from '../times.js'

export async function show(context: Context): Promise<number> {
  const api = await context.api()
  showRates(context, await api.get<RatesReply>('/rates'))
  return Exit.ok
}

interface SetOptions {
  readonly asOf?: string
  readonly haircut?: string
  readonly maxAgeDays?: string
  readonly replace?: boolean
  readonly confirm?: boolean
}

export async function set(context: Context, options: SetOptions, pairs: readonly string[]): Promise<number> {
  const given = Object.fromEntries(pairs.map(pair))
  if (Object.keys(given).length < pairs.length) throw usage('A currency is named twice.')
  const api = await context.api()
  const before = await api.get<RatesReply>('/rates')
  const asOf = options.asOf ?? today(context.io.clock.now())
  const kept = options.replace === true ? {} : withoutThose(before.usd_per, given)
  // One date stands for the whole table: an old rate beside a new one would look as fresh as it.
  const aged = Object.keys(kept)
  if (aged.length > 0 && before.as_of !== asOf) {
    throw new CliFault(
      Exit.failure,
      `The table has one date. These rates are of ${before.as_of ?? 'an unknown day'} and would be dated ${asOf}: ` +
        `${aged.join(', ')}. Name them too, or drop them with --replace.`,
      { code: 'stale_rates' },
    )
  }
  const table = {
    as_of: asOf,
    usd_per: { ...kept, ...given },
    haircut: options.haircut ?? before.haircut,
    max_age_days: options.maxAgeDays === undefined ? before.max_age_days : Number(options.maxAgeDays),
    ...(options.confirm === true ? { confirm: true } : {}),
  }
  showRates(context, await withHint(() => api.put<RatesReply>('/rates', table)))
  return Exit.ok
}

export async function importFile(
  context: Context,
  options: { readonly confirm?: boolean },
  file: string,
): Promise<number> {
  const source = await readSource(context, file)
  const document = plain(source)
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw usage(`${file} must hold as_of, usd_per, haircut and max_age_days.`)
  const api = await context.api()
  try {
    const body = { ...textual(document), ...(options.confirm === true ? { confirm: true } : {}) }
    showRates(context, await withHint(() => api.put<RatesReply>('/rates', body)))
    return Exit.ok
  } catch (error) {
    throw error instanceof CliFault ? located(error, source) : error
  }
}

/** Rates written as whole numbers (`eur: 1`) are decimal text like the others. */
function textual(document: object): object {
  const rates = (document as { usd_per?: unknown }).usd_per
  if (typeof rates !== 'object' || rates === null) return document
  const text = Object.entries(rates).map(([currency, rate]) => [
    currency,
    typeof rate === 'number' ? String(rate) : (rate as unknown),
  ])
  return { ...document, usd_per: Object.fromEntries(text) as unknown }
}

function pair(text: string): [string, string] {
  const found = /^([A-Za-z]{3})=((?:0|[1-9]\d{0,9})(?:\.\d{1,12})?)$/.exec(text)
  if (!found) throw usage(`"${text}" is no rate. Write the currency and the USD for one of its major units: eur=1.09.`)
  const currency = (found[1] ?? '').toLowerCase()
  if (currency === 'usd') throw usage('USD needs no rate.')
  return [currency, found[2] ?? '']
}

const withoutThose = (
  rates: Readonly<Record<string, string>>,
  named: Readonly<Record<string, string>>,
): Record<string, string> => Object.fromEntries(Object.entries(rates).filter(([currency]) => !(currency in named)))

async function withHint<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof CliFault) || error.more.code !== 'confirm_required') throw error
    throw new CliFault(error.exit, `${error.message} If it is right, repeat with --confirm.`, {
      ...error.more,
      cause: error,
    })
  }
}

function showRates(context: Context, rates: RatesReply): void {
  if (context.json) return context.reply(rates)
  const rows = Object.entries(rates.usd_per)
  if (rows.length === 0)
    return context.say(
      'There are no rates: amounts in any currency but USD are refused (amount_unknown). Set one:  spendgate rates set eur=1.09',
    )
  context.show(
    facts(context.style, [
      ['as of', rates.as_of],
      ['haircut', rates.haircut],
      ['stale', staleness(rates, context.io.clock.now())],
    ]),
  )
  context.show(
    table(
      context.style,
      [{ title: 'CURRENCY' }, { title: 'USD', right: true }],
      rows.map(([currency, rate]) => [currency, rate]),
    ),
  )
}

/** `in 12 days (from 2026-12-22 on)`, or since when. Null for a table without a date. */
export function staleness(
  { as_of, max_age_days }: { readonly as_of: string | null; readonly max_age_days: number },
  nowMs: number,
): string | null {
  if (as_of === null) return null
  const table = { as_of, max_age_days }
  const from = today(staleAfter(table))
  const left = daysLeft(table, nowMs)
  if (left > 0) return `in ${left} ${left === 1 ? 'day' : 'days'} (from ${from} on)`
  return `since ${from}: what it would price is refused`
}
