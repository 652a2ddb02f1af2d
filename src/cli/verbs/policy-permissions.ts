import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { safe } from '../output.js'
import { policyBy } from '../policy-files.js'

/** A vendor's key and what it must be able to do. */
export interface KeyAdvice {
  readonly vendor: string
  readonly kind: string
  readonly permissions: readonly string[]
  readonly unknown: readonly string[]
  readonly source: string
}

/** The smallest vendor keys that a policy, in a file or stored, needs. */
export async function permissions(context: Context, _options: unknown, text: string): Promise<number> {
  const { title, document } = await policyBy(context, text)
  const { keysNeeded } = await import('../../main.js')
  const found = keysNeeded(document).map(({ vendor, operations, needs }) => ({ vendor, operations, ...needs }))
  if (context.json) context.reply({ policy: title, vendors: found })
  else if (found.length === 0)
    context.say(`Of no vendor that ${title} opens is it known here what a smaller key would need.`)
  else context.show(found.map(advice).join(''))
  return Exit.ok
}

const SHOWN = 40

/** Lines for people, ending with a line break. */
export function advice({ vendor, kind, permissions, unknown, source }: KeyAdvice): string {
  const list = (names: readonly string[]): string =>
    names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '')
  return [
    `${vendor}: ${kind}`,
    ...(permissions.length === 0 ? [] : [`  permissions: ${list(permissions)}`]),
    ...(unknown.length === 0 ? [] : [`  to be looked up there: ${list(unknown)}`]),
    `  (${source})`,
    '',
  ]
    .map(safe)
    .join('\n')
}
