import { stringify } from 'yaml'
import type { Context } from '../context.js'
import { located, readSource } from '../documents.js'
import { CliFault, Exit } from '../exit.js'
import { instant, safe, table } from '../output.js'
import type { PolicyReply } from '../replies.js'

export async function add(context: Context, _options: unknown, file: string): Promise<number> {
  const source = await readSource(context, file)
  const api = await context.api()
  let made: PolicyReply
  try {
    made = await api.postText<PolicyReply>('/policies', source.contentType, source.text)
  } catch (error) {
    throw error instanceof CliFault ? located(error, source) : error
  }
  if (context.json) context.reply(made)
  else {
    context.show(`Stored ${safe(made.name)}@${made.version}  ${safe(made.id)}\n`)
    await sayKeys(context, made)
    context.say(
      `Keys keep the version they were issued with.  Next:  spendgate key create NAME --policy ${made.name} --credential CREDENTIAL`,
    )
  }
  return Exit.ok
}

/** What is not opened need not be possible at the vendor either: the smallest key of each that this policy needs. */
async function sayKeys(context: Context, { document }: PolicyReply): Promise<void> {
  const [{ keysNeeded }, { advice }] = await Promise.all([import('../../main.js'), import('./policy-permissions.js')])
  const lines = keysNeeded(document).flatMap(({ vendor, needs }) =>
    advice({ vendor, ...needs })
      .trimEnd()
      .split('\n'),
  )
  if (lines.length > 0) context.say('The smallest vendor keys that it needs:')
  for (const line of lines) context.say(`  ${line}`)
}

export async function list(context: Context): Promise<number> {
  const api = await context.api()
  const policies = await api.all<PolicyReply>('/policies', 'policies')
  if (context.json) context.reply({ policies, next_cursor: null })
  else if (policies.length === 0) context.say('There are no policies. Store one:  spendgate policy add FILE')
  else context.show(table(context.style, COLUMNS, policies.map(row)))
  return Exit.ok
}
const COLUMNS = [{ title: 'NAME' }, { title: 'VERSION', right: true }, { title: 'ID' }, { title: 'CREATED (UTC)' }]
const row = (policy: PolicyReply): string[] => [
  policy.name,
  String(policy.version),
  policy.id,
  instant(policy.created_at),
]

export async function versions(context: Context, _options: unknown, name: string): Promise<number> {
  const api = await context.api()
  const found = await api.all<PolicyReply>(`/policies/${encodeURIComponent(name)}/versions`, 'versions')
  if (context.json) context.reply({ versions: found, next_cursor: null })
  else context.show(table(context.style, COLUMNS, found.map(row)))
  return Exit.ok
}

/** Prints the document as YAML, ready to be edited and added as the next version. */
export async function show(context: Context, _options: unknown, text: string): Promise<number> {
  const api = await context.api()
  const policy = await api.get<PolicyReply>(`/policies/${encodeURIComponent(text)}`)
  if (context.json) context.reply(policy)
  else {
    context.show(`# ${safe(policy.name)}@${policy.version}  ${safe(policy.id)}\n`)
    context.show(stringify(policy.document).split('\n').map(safe).join('\n'))
  }
  return Exit.ok
}

/** Needs no server: the same reading as the server's, so a policy that passes here can be stored. */
export async function check(context: Context, _options: unknown, file: string): Promise<number> {
  const source = await readSource(context, file)
  const { checkPolicy } = await import('../../main.js')
  const found = checkPolicy(source.text, source.name)
  if (!found.ok) {
    const lines = found.faults.map(({ at, path, message }) => ({ at: at ?? path, message }))
    const message = `${source.name} has faults.`
    throw located(new CliFault(Exit.failure, message, { code: 'invalid', lines }), source, message)
  }
  if (context.json) context.reply({ ok: true, name: found.name })
  else context.show(`${safe(source.name)} is a valid policy named ${safe(found.name)}\n`)
  return Exit.ok
}
