import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { keyNames } from '../find.js'
import { dollars, dollarsOrDash, table, type Cell } from '../output.js'

interface Line {
  readonly max_loss_usd: string | null
  readonly caps_left_usd: string | null
  readonly held_usd: string
}
interface KeyLine extends Line {
  readonly key_id: string
  readonly scheduled_usd: string
  readonly recurring_usd: string
  readonly open_usd: string
  readonly unlimited_open: number
}
interface ExposureReply extends Line {
  readonly why: string | null
  readonly by_key: readonly KeyLine[]
}

/** What may still be lost, by key. */
export async function exposure(context: Context): Promise<number> {
  const api = await context.api()
  const reply = await api.get<ExposureReply>('/exposure')
  if (context.json) {
    context.reply(reply)
    return Exit.ok
  }
  const names = await keyNames(api)
  const rows = reply.by_key.map((line) => row(`${names.get(line.key_id) ?? line.key_id} (${line.key_id})`, line))
  const total = [
    strong('in all'),
    strong(bounded(reply.max_loss_usd)),
    bounded(reply.caps_left_usd),
    dollarsOrDash(reply.held_usd),
    '',
    '',
    '',
  ]
  context.show(table(context.style, COLUMNS, [...rows, total]))
  if (reply.why !== null) context.say(reply.why)
  const shared = reply.by_key.length > 1 && reply.max_loss_usd !== null
  if (shared) context.say('A budget that several keys share is in the last line once.')
  const unlimited = reply.by_key.reduce((sum, line) => sum + line.unlimited_open, 0)
  if (unlimited > 0) context.say(`${unlimited} open things can be completed any number of times; each counts once.`)
  return Exit.ok
}

const COLUMNS = [
  { title: 'KEY' },
  { title: 'MAX LOSS', right: true },
  { title: 'CAPS LEFT', right: true },
  { title: 'HELD', right: true },
  { title: 'OPEN', right: true },
  { title: 'SCHEDULED', right: true },
  { title: 'A MONTH', right: true },
]
const bounded = (amount: string | null): string => (amount === null ? 'no limit' : dollars(amount))
const strong = (text: string): Cell => ({ text, tone: 'strong' })
const row = (title: string, line: KeyLine): Cell[] => [
  title,
  line.max_loss_usd === null ? { text: 'no limit', tone: 'bad' } : dollars(line.max_loss_usd),
  bounded(line.caps_left_usd),
  dollarsOrDash(line.held_usd),
  dollarsOrDash(line.open_usd),
  dollarsOrDash(line.scheduled_usd),
  dollarsOrDash(line.recurring_usd),
]
