import type { Context } from '../context.js'
import { Exit, usage } from '../exit.js'
import { keyId } from '../find.js'
import { safe } from '../output.js'

interface SuggestOptions {
  readonly run?: string
  readonly key?: string
  readonly from?: 'observe'
  readonly since?: string
  readonly name?: string
  readonly headroom?: string
}

interface Suggestion {
  readonly document: unknown
  readonly yaml: string
  readonly calls: number
  readonly left_out: readonly string[]
}

/** The server reads up to a million calls. */
const WAIT_MS = 300_000

/** Writes the least policy that would have let recorded calls through, as YAML that says why, ready to be edited and added. */
export async function suggest(context: Context, options: SuggestOptions): Promise<number> {
  if (options.run === undefined && options.key === undefined && options.from === undefined)
    throw usage('Say which calls: --run RUN, --key KEY or --from observe.')
  const api = await context.api()
  const found = await api.post<Suggestion>(
    '/policies/suggest',
    {
      run: options.run,
      key: options.key === undefined ? undefined : await keyId(api, options.key),
      ...(options.from === 'observe' && { observed: true }),
      since: options.since,
      name: options.name,
      headroom: options.headroom === undefined ? undefined : Number(options.headroom),
    },
    WAIT_MS,
  )
  if (context.json) context.reply(found)
  else {
    context.show(found.yaml.split('\n').map(safe).join('\n'))
    for (const sentence of found.left_out) context.say(sentence)
    context.say('Look it over, try it with "spendgate policy simulate", and store it with "spendgate policy add".')
  }
  return found.calls === 0 ? Exit.notFound : Exit.ok
}
