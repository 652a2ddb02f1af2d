import type { Context } from '../context.js'
import { Exit, usage } from '../exit.js'
import { keyId } from '../find.js'
import { dollars, dollarsOrDash, instant, safe, table, type Cell, type Tone } from '../output.js'

interface ItemReply {
  readonly id: string | null
  readonly state: 'open' | 'undone' | 'impossible'
  readonly vendor: string
  readonly on: string | null
  readonly call_ids: readonly string[]
  readonly at: string
  readonly operation: string
  readonly counted_usd: string
  readonly does: string | null
  readonly amount_usd: string | null
  readonly leaves: string | null
  readonly why: string | null
}
interface PlanReply {
  readonly run: string
  readonly items: readonly ItemReply[]
  readonly open_usd: string
  readonly harmless_calls: number
  readonly more: boolean
}
interface ResultReply {
  readonly id: string
  readonly state: 'done' | 'refused' | 'unknown' | 'not_sent' | 'gone'
  readonly why: string
}
type Open = ItemReply & { readonly id: string }

/** Planning takes half a minute at most, and doing what is confirmed a minute and the last request. */
const WAIT_MS = 150_000
/** Items that one request confirms at most. */
const ITEMS_MAX = 100

interface ReverseOptions {
  readonly key?: string
  readonly execute?: boolean
  readonly yes?: readonly string[]
}

export async function reverse(context: Context, options: ReverseOptions, run: string): Promise<number> {
  if (options.yes !== undefined && options.execute !== true)
    throw usage('--yes confirms what is done: it goes with --execute.')
  if (options.execute === true && options.yes === undefined && (context.io.ask === null || context.json))
    throw usage('Nobody is there to confirm each item. Name those that are confirmed: --execute --yes undo_…')
  const api = await context.api()
  const key = options.key === undefined ? undefined : await keyId(api, options.key)
  const path = `/runs/${encodeURIComponent(run)}/reversal`
  const confirmed = (items: readonly string[]): Promise<{ readonly results: readonly ResultReply[] }> =>
    api.post(path, { items, ...(key === undefined ? {} : { key }) }, WAIT_MS)
  if (options.yes !== undefined) {
    if (options.yes.length > ITEMS_MAX) throw usage(`At most ${ITEMS_MAX} items are confirmed at once.`)
    const reply = await confirmed(options.yes)
    if (context.json) context.reply(reply)
    else for (const result of reply.results) tell(context, result)
    return exitFor(reply.results)
  }
  const plan = await api.get<PlanReply>(path, { key }, WAIT_MS)
  if (context.json) {
    context.reply(plan)
    return Exit.ok
  }
  show(context, plan)
  const open = plan.items.filter((item): item is Open => item.id !== null)
  if (options.execute !== true) {
    if (open.length > 0)
      context.say(
        `Nothing was changed. Confirm each:  spendgate reverse ${plan.run} --execute  (or with --yes ${open[0]!.id} …)`,
      )
    return Exit.ok
  }
  const results: ResultReply[] = []
  for (const item of open) {
    if (!(await yes(context, item))) continue
    const [result] = (await confirmed([item.id])).results
    results.push(result!)
    tell(context, result!)
  }
  if (results.length === 0) context.say('Nothing was confirmed, and nothing was changed.')
  return exitFor(results)
}

async function yes(context: Context, { does, on, amount_usd: amount, leaves }: Open): Promise<boolean> {
  const moved = amount === null ? '' : ` ${dollars(amount)}`
  const lost = leaves === null ? '' : ` ${leaves}`
  const answer = await context.io.ask!(safe(`${on}:${moved} ${does}${lost} Do it? [y/N] `), false)
  return /^y(es)?$/i.test(answer.trim())
}

function show(context: Context, { items, open_usd: open, harmless_calls: harmless, more }: PlanReply): void {
  if (items.length === 0) context.say('This run has done nothing that would have to be undone.')
  else context.show(table(context.style, COLUMNS, items.map(rowOf)))
  if (open !== '0.00') context.say(`The open items would move ${dollars(open)}.`)
  if (harmless > 0) context.say(`${harmless} calls moved no money and left nothing that acts; they are not listed.`)
  if (more) context.say('The run has more calls than are looked through: plan again when these are undone.')
}

const COLUMNS = [
  { title: 'AT (UTC)' },
  { title: 'DID' },
  { title: 'COUNTS FOR', right: true },
  { title: 'ON' },
  { title: 'STATE' },
  { title: 'MOVES', right: true },
  { title: 'UNDOING IT' },
  { title: 'ITEM' },
]
const TONES: Readonly<Record<ItemReply['state'], Tone>> = { open: 'warn', undone: 'good', impossible: 'bad' }
const rowOf = (item: ItemReply): Cell[] => [
  instant(item.at),
  `${item.vendor} ${item.operation}`,
  dollarsOrDash(item.counted_usd),
  item.on ?? '–',
  { text: item.state, tone: TONES[item.state] },
  item.amount_usd === null ? '–' : dollars(item.amount_usd),
  [item.does ?? item.why, item.leaves].filter((text) => text !== null).join(' '),
  item.id ?? '–',
]

function tell(context: Context, { id, state, why }: ResultReply): void {
  const tone = state === 'done' ? 'good' : 'bad'
  context.show(`${safe(id)}  ${context.style.paint(tone, state.replace('_', ' '))}  ${safe(why)}\n`)
}

const exitFor = (results: readonly ResultReply[]): number =>
  results.every(({ state }) => state === 'done') ? Exit.ok : Exit.failure
