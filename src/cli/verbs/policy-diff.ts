import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { safe, table, type Tone } from '../output.js'
import { policyBy } from '../policy-files.js'

const TONE: Readonly<Record<string, Tone>> = { tighter: 'good', wider: 'bad', other: 'warn' }

/** What the second policy says otherwise than the first: each a file, or a stored one by NAME or NAME@VERSION. */
export async function diff(context: Context, _options: unknown, first: string, second: string): Promise<number> {
  const [from, to] = [await policyBy(context, first), await policyBy(context, second)]
  const { differencesBetween } = await import('../../main.js')
  const found = differencesBetween(from.document, to.document)
  const count = (direction: string): number => found.filter((each) => each.direction === direction).length
  const counts = { tighter: count('tighter'), wider: count('wider'), other: count('other') }
  if (context.json) context.reply({ from: from.title, to: to.title, ...counts, differences: found })
  else if (found.length === 0) context.say(`${from.title} and ${to.title} say the same.`)
  else {
    const rows = found.map(({ direction, sentence, path }) => [
      { text: direction, tone: TONE[direction] ?? 'plain' },
      sentence,
      { text: path, tone: 'faint' as const },
    ])
    context.show(
      table(
        context.style,
        [{ title: '' }, { title: `FROM ${safe(from.title)} TO ${safe(to.title)}` }, { title: 'WHERE' }],
        rows,
      ),
    )
  }
  return Exit.ok
}
