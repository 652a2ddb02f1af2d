import type { PriceTable } from '../../contracts/vendor.js'
import type { Context } from '../context.js'
import { located, plain, readSource } from '../documents.js'
import { CliFault, Exit } from '../exit.js'
import { facts, table } from '../output.js'
import { staleness } from './rates.js'

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

/** What the server says of the reading under way. */
interface SyncReply {
  readonly state: 'idle' | 'running' | 'done' | 'confirm_required' | 'failed'
  readonly done: number
  readonly of: number
  readonly message: string | null
  readonly rows: Readonly<Record<string, number>>
  readonly kept: readonly string[]
  readonly gone: number
  readonly leaps: readonly { readonly path: string; readonly message: string }[]
}

const LOOK_MS = 1_000
/** An hour: the server itself waits at most a minute for a busy vendor, country by country. */
const LOOKS_MAX = 3_600

export async function sync(
  context: Context,
  options: { readonly credential?: string; readonly confirm?: boolean },
  vendor: string,
): Promise<number> {
  const api = await context.api()
  const at = `${path(vendor)}/sync`
  let reply = await api.post<SyncReply>(at, {
    ...(options.credential === undefined ? {} : { credential: options.credential }),
    ...(options.confirm === true ? { confirm: true } : {}),
  })
  // An interruption ends the command; the server goes on.
  const whole = new AbortController().signal
  let told = 0
  for (let looks = 0; reply.state === 'running' && looks < LOOKS_MAX; looks++) {
    if (reply.of > 0 && reply.done * 10 >= reply.of * (told + 1)) {
      told = Math.floor((reply.done * 10) / reply.of)
      context.say(`${reply.done} of ${reply.of} price lists are read.`)
    }
    await context.io.pause(LOOK_MS, whole)
    reply = await api.get<SyncReply>(at)
  }
  if (reply.state !== 'done') throw unfinished(reply)
  if (context.json) context.reply(reply)
  else
    context.show(
      facts(context.style, [
        [
          'rows',
          Object.entries(reply.rows)
            .map(([section, count]) => `${section} ${count}`)
            .join(', '),
        ],
        ['taken over', reply.kept.length === 0 ? null : reply.kept.join(', ')],
        ['no longer priced', String(reply.gone)],
      ]),
    )
  return Exit.ok
}

function unfinished(reply: SyncReply): CliFault {
  if (reply.state === 'confirm_required')
    return new CliFault(Exit.failure, `${reply.message} If it is right, repeat with --confirm.`, {
      code: 'confirm_required',
      lines: reply.leaps.map(({ path: at, message }) => ({ at, message })),
    })
  if (reply.state === 'failed') return new CliFault(Exit.failure, reply.message ?? 'The prices could not be read.')
  return new CliFault(Exit.failure, 'The server has stopped reading the prices. Nothing was stored.')
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
      ['stale', staleness(prices, context.io.clock.now())],
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
