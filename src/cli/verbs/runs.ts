import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { keyId } from '../find.js'
import { dollars, dollarsOrDash, facts, instant, safe, table } from '../output.js'
import type { CallReply, RunReply } from '../replies.js'
import { callTable } from './calls.js'

export async function list(
  context: Context,
  options: { readonly key?: string; readonly limit?: string },
): Promise<number> {
  const api = await context.api()
  const key = options.key === undefined ? undefined : await keyId(api, options.key)
  const { rows: runs } = await api.pages<RunReply>('/runs', 'runs', Number(options.limit ?? LISTED_DEFAULT), { key })
  if (context.json) context.reply({ runs, next_cursor: null })
  else if (runs.length === 0) context.say('There are no runs yet: none of these keys has been used.')
  else context.show(table(context.style, COLUMNS, runs.map(row)))
  return Exit.ok
}
const LISTED_DEFAULT = 50
const COLUMNS = [
  { title: 'RUN' },
  { title: 'KEY' },
  { title: 'SPENT', right: true },
  { title: 'HELD', right: true },
  { title: 'CALLS', right: true },
  { title: 'DENIED', right: true },
  { title: 'FIRST (UTC)' },
  { title: 'LAST (UTC)' },
]
const row = (run: RunReply): string[] => [
  run.run,
  run.key_id ?? '–',
  dollars(run.spent_usd),
  dollarsOrDash(run.held_usd),
  String(run.calls),
  String(run.denied),
  instant(run.first_at),
  instant(run.last_at),
]

export async function show(context: Context, options: { readonly key?: string }, id: string): Promise<number> {
  const api = await context.api()
  const key = options.key === undefined ? undefined : await keyId(api, options.key)
  const run = await api.get<RunReply>(`/runs/${encodeURIComponent(id)}`, { key })
  if (context.json) {
    context.reply(run)
    return Exit.ok
  }
  const { rows: calls } = await api.pages<CallReply>('/calls', 'calls', CALLS_SHOWN, { run: id, key })
  const vendors = Object.entries(run.by_vendor).map(([vendor, spent]) => `${vendor} ${dollars(spent)}`)
  context.show(`${safe(run.run)}\n`)
  context.show(
    facts(context.style, [
      ['key', run.key_id],
      ['spent', dollars(run.spent_usd)],
      ['held', dollarsOrDash(run.held_usd)],
      ['by vendor', vendors.join(', ')],
      ['calls', `${run.calls}, ${run.denied} denied`],
      ['from', `${instant(run.first_at)} UTC`],
      ['to', `${instant(run.last_at)} UTC`],
    ]),
  )
  context.show(`\n${callTable(context, calls)}`)
  return Exit.ok
}
const CALLS_SHOWN = 100
