import type { Context } from '../context.js'
import { Exit, usage } from '../exit.js'
import { keyNames } from '../find.js'
import { dollars, dollarsOrDash, sumUsd, table, usedBar, type Cell } from '../output.js'
import type { SpendReply, Totals } from '../replies.js'
import { instantFrom } from '../times.js'
import { exposure } from './exposure.js'

interface SpendOptions {
  readonly by: 'run' | 'key' | 'vendor' | 'operation' | 'day'
  readonly from?: string
  readonly to?: string
  readonly maxLoss?: boolean
}

export async function spend(context: Context, options: SpendOptions): Promise<number> {
  if (options.maxLoss === true) {
    if (options.from !== undefined || options.to !== undefined)
      throw usage('--max-loss is of now: it takes neither --from nor --to.')
    return exposure(context)
  }
  const { by } = options
  const nowMs = context.io.clock.now()
  const from = options.from === undefined ? undefined : instantFrom(options.from, nowMs)
  const to = options.to === undefined ? undefined : instantFrom(options.to, nowMs)
  if (from !== undefined && to !== undefined && from >= to)
    throw usage(`--from (${from}) must lie before --to (${to}).`)
  const api = await context.api()
  const reply = await api.get<SpendReply>('/spend', { by, from, to })
  if (context.json) {
    context.reply(reply)
    return Exit.ok
  }
  const names = by === 'key' ? await keyNames(api) : null
  const title = (id: string): string => (names?.has(id) ? `${names.get(id)} (${id})` : id)
  const total = totalOf(reply.total)
  const rows = reply.rows.map((row) => line(context, title(String(row[by] ?? '')), row, total))
  const sum = line(context, 'total', reply.total, null).map((cell): Cell =>
    typeof cell === 'string' ? { text: cell, tone: 'strong' } : cell,
  )
  context.say(`${from ?? 'the beginning'} to ${to ?? 'now'}`)
  context.show(table(context.style, columns(by), [...rows, sum]))
  return Exit.ok
}

const columns = (by: string): { title: string; right?: boolean }[] => [
  { title: by.toUpperCase() },
  { title: 'SPENT', right: true },
  { title: 'HELD', right: true },
  { title: 'CALLS', right: true },
  { title: 'DENIED', right: true },
  { title: 'SHARE' },
]

function line(context: Context, title: string, row: Totals, total: bigint | null): Cell[] {
  const used = sumUsd(row.spent_usd, row.held_usd)
  const share =
    total === null || used === null || total === 0n ? '' : usedBar(context.style, used, total as typeof used)
  return [
    title,
    dollars(row.spent_usd),
    dollarsOrDash(row.held_usd),
    String(row.calls),
    { text: String(row.denied), tone: row.denied > 0 ? 'bad' : 'plain' },
    share,
  ]
}

const totalOf = (total: Totals): bigint | null => sumUsd(total.spent_usd, total.held_usd)
