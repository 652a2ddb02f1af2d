import type { Api } from '../client.js'
import type { Context } from '../context.js'
import { Exit, notFound, usage } from '../exit.js'
import { instant, safe, table } from '../output.js'
import type { NewOperatorReply, OperatorReply } from '../replies.js'

interface AddOptions {
  readonly role: string
  readonly expires?: string
}

export async function add(context: Context, { role, expires }: AddOptions, name: string): Promise<number> {
  const api = await context.api()
  const wish = { name, role, ...(expires === undefined ? {} : { expires_in: expires }) }
  const made = await api.post<NewOperatorReply>('/operators', wish)
  if (context.json) context.reply(made)
  else {
    context.show(`${safe(made.token)}\n`)
    const until = made.expires_at === null ? '' : ` until ${instant(made.expires_at)} UTC`
    context.say(
      `${safe(made.id)}  ${safe(name)}, ${safe(made.role)}${until}. The token is shown this once: hand it over where nobody else reads. ` +
        'It goes into SPENDGATE_ADMIN_TOKEN of their command, or into the form for signing in.',
    )
  }
  return Exit.ok
}

export async function list(context: Context): Promise<number> {
  const api = await context.api()
  const operators = await api.all<OperatorReply>('/operators', 'operators')
  if (context.json) context.reply({ operators, next_cursor: null })
  else if (operators.length === 0)
    context.say('There are none beside the admin token. Add one:  spendgate operator add NAME --role approver')
  else context.show(table(context.style, COLUMNS, operators.map(row)))
  return Exit.ok
}
const COLUMNS = ['ID', 'NAME', 'BY', 'ROLE', 'STATUS', 'ADDED (UTC)', 'ADDED BY', 'EXPIRES (UTC)'].map((title) => ({
  title,
}))

const row = (of: OperatorReply): string[] => [
  of.id,
  of.name ?? '[erased]',
  of.kind === 'person' ? 'sign-in' : 'token',
  of.role,
  of.status,
  instant(of.created_at),
  of.created_by,
  of.expires_at === null ? 'never' : instant(of.expires_at),
]

export async function revoke(context: Context, _options: unknown, text: string): Promise<number> {
  const api = await context.api()
  const { id, name } = await found(api, text)
  await api.delete(`/operators/${encodeURIComponent(id)}`)
  if (context.json) context.reply({ id, revoked: true })
  else context.show(`Revoked ${safe(id)}  ${safe(name ?? '[erased]')}. Token and sessions open nothing any more.\n`)
  return Exit.ok
}

export async function readmit(context: Context, _options: unknown, text: string): Promise<number> {
  const api = await context.api()
  const { id } = await found(api, text)
  const back = await api.post<OperatorReply>(`/operators/${encodeURIComponent(id)}/readmit`, {})
  if (context.json) context.reply(back)
  else context.show(`${safe(id)}  ${safe(back.name ?? '[erased]')} may sign in again.\n`)
  return Exit.ok
}

/** By id, or by a name that one operator has; a living one before those who were. */
async function found(api: Api, text: string): Promise<OperatorReply> {
  const operators = await api.all<OperatorReply>('/operators', 'operators')
  const named = operators.filter(({ id, name }) => id === text || name === text)
  const living = named.filter(({ status }) => status === 'active')
  const [operator, other] = living.length > 0 ? living : named
  if (operator === undefined) throw notFound(`There is no operator ${text}. "spendgate operator list" shows them.`)
  if (other !== undefined)
    throw usage(`Several operators are named ${text}: ${operator.id}, ${other.id}. Name one by its id.`)
  return operator
}
