import type { Api } from '../client.js'
import type { Context } from '../context.js'
import { Exit, usage } from '../exit.js'
import { keyId } from '../find.js'
import { safe } from '../output.js'

interface ScopeOptions {
  readonly all?: boolean
  readonly key?: string
  readonly run?: string
  readonly vendor?: string
}
type Scope = Readonly<Record<string, string>>

export async function freeze(context: Context, options: ScopeOptions & { readonly reason?: string }): Promise<number> {
  const named = only(options)
  const api = await context.api()
  const scope = await resolved(api, named)
  const reason = options.reason === undefined ? {} : { reason: options.reason }
  const done = await api.post<object>('/freeze', { ...scope, ...reason })
  if (context.json) context.reply(done)
  else
    context.show(
      `Frozen: ${safe(words(scope))}. No further call leaves; undo with "spendgate unfreeze ${safe(flag(named))}".\n`,
    )
  return Exit.ok
}

export async function unfreeze(context: Context, options: ScopeOptions): Promise<number> {
  const named = only(options)
  const api = await context.api()
  const scope = await resolved(api, named)
  const done = await api.post<object>('/unfreeze', scope)
  if (context.json) context.reply(done)
  else context.show(`No longer frozen: ${safe(words(scope))}.\n`)
  return Exit.ok
}

type Named = readonly ['all' | 'key' | 'run' | 'vendor', string]

/** Exactly one scope: a slip of the hand must not freeze, or free, more than was meant. */
function only(options: ScopeOptions): Named {
  const given: Named[] = []
  if (options.all === true) given.push(['all', ''])
  for (const kind of ['key', 'run', 'vendor'] as const) {
    const value = options[kind]
    if (value !== undefined) given.push([kind, value])
  }
  const [first] = given
  if (first === undefined || given.length > 1) throw usage('Give exactly one of --all, --key, --run and --vendor.')
  return first
}

async function resolved(api: Api, [kind, value]: Named): Promise<Scope> {
  if (kind === 'all') return { scope: 'all' }
  return kind === 'key' ? { key: await keyId(api, value) } : { [kind]: value }
}

const words = (scope: Scope): string =>
  Object.entries(scope)
    .map(([kind, value]) => (kind === 'scope' ? 'everything' : `${kind} ${value}`))
    .join(', ')
const flag = ([kind, value]: Named): string => (kind === 'all' ? '--all' : `--${kind} ${value}`)
