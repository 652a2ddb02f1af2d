import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Context } from './context.js'
import { located, readSource, type Source } from './documents.js'
import { CliFault, Exit } from './exit.js'
import type { PolicyReply } from './replies.js'

/** A policy out of a file, read as the server would read it. */
export interface ReadPolicy {
  readonly source: Source
  readonly name: string
  readonly document: unknown
}

/** @throws CliFault with the places of what is wrong with it */
export async function readPolicy(context: Context, file: string): Promise<ReadPolicy> {
  const source = await readSource(context, file)
  const { checkPolicy } = await import('../main.js')
  const found = checkPolicy(source.text, source.name)
  if (found.ok) return { source, ...found }
  const lines = found.faults.map(({ at, path, message }) => ({ at: at ?? path, message }))
  const message = `${source.name} has faults.`
  throw located(new CliFault(Exit.failure, message, { code: 'invalid', lines }), source, message)
}

/** A policy by file, or by NAME or NAME@VERSION of one that is stored. */
export async function policyBy(
  context: Context,
  text: string,
): Promise<{ readonly title: string; readonly document: unknown }> {
  if (isFile(context, text)) {
    const { source, document } = await readPolicy(context, text)
    return { title: source.name, document }
  }
  const api = await context.api()
  const { name, version, document } = await api.get<PolicyReply>(`/policies/${encodeURIComponent(text)}`)
  return { title: `${name}@${version}`, document }
}

const isFile = (context: Context, text: string): boolean =>
  text === '-' || /[/\\]|\.(ya?ml|json)$/.test(text) || existsSync(resolve(context.io.cwd, text))
