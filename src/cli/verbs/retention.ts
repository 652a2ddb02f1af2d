import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { safe } from '../output.js'
import { instantFrom } from '../times.js'

/** The server proves its book before it prunes, and a large one takes its time. */
const LONG_MS = 600_000

export async function retention(context: Context, _options: unknown, days: string | undefined): Promise<number> {
  const api = await context.api()
  const reply =
    days === undefined
      ? await api.get<{ readonly days: number | null }>('/audit/retention')
      : await api.put<{ readonly days: number | null }>('/audit/retention', { days: Number(days) })
  if (context.json) context.reply(reply)
  else if (reply.days === null) context.show('All history is kept, unless "audit prune --before" says otherwise.\n')
  else context.show(`Pruning leaves ${reply.days} days of history.\n`)
  return Exit.ok
}

interface PruneReply {
  readonly pruned_to: number | null
  readonly entries: number
  readonly calls: number
  readonly archive: string | null
  readonly in_the_way: readonly string[]
}

/** Prunes piece by piece, until nothing older is left that can go. */
export async function prune(context: Context, options: { readonly before?: string }): Promise<number> {
  const api = await context.api()
  // The same instant for every piece: a span would move on while the pieces are written.
  const before = options.before === undefined ? {} : { before: instantFrom(options.before, context.io.clock.now()) }
  const pieces: PruneReply[] = []
  let left: PruneReply
  do {
    left = await api.post<PruneReply>('/audit/prune', before, LONG_MS)
    if (left.pruned_to === null) break
    pieces.push(left)
    if (!context.json) context.say(`${left.entries} entries and ${left.calls} calls went to ${left.archive}`)
  } while (pieces.length < PIECES_MAX)
  if (context.json) context.reply({ pruned_to: pieces.at(-1)?.pruned_to ?? null, pieces, in_the_way: left.in_the_way })
  else {
    if (pieces.length === 0) context.show('Nothing was pruned.\n')
    else context.show(`History up to entry ${pieces.at(-1)!.pruned_to} is in archives now.\n`)
    for (const why of left.in_the_way) context.show(`${context.style.paint('warn', '!')} ${safe(why)}\n`)
  }
  return Exit.ok
}
const PIECES_MAX = 1_000

interface EraseReply {
  readonly calls: number
  readonly rows: number
  readonly kept: readonly string[]
}

export async function erase(context: Context, { subject }: { readonly subject: string }): Promise<number> {
  const api = await context.api()
  const reply = await api.post<EraseReply>('/audit/erase', { subject }, LONG_MS)
  if (context.json) context.reply(reply)
  else {
    context.show(`Erased from ${reply.calls} calls and ${reply.rows} other rows.\n`)
    for (const why of reply.kept) context.show(`${context.style.paint('warn', '!')} ${safe(why)}\n`)
    context.say(
      'Vendors, backups, archives and exports keep what they have, and so do entries that earlier versions wrote.',
    )
  }
  return Exit.ok
}
