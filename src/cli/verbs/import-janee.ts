import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  planFor,
  type Plan,
  type PlannedCredential,
  type PlannedPolicy,
  type Remark,
} from '../../import/janee/index.js'
import type { Api } from '../client.js'
import type { Context } from '../context.js'
import { readSource } from '../documents.js'
import { CliFault, Exit } from '../exit.js'
import { instant, safe, table } from '../output.js'
import type { CredentialReply, KeyReply, NewKeyReply, PolicyReply } from '../replies.js'

export interface ImportOptions {
  readonly credentials?: string
  readonly dailyCap?: string
  readonly keys?: boolean
  readonly dryRun?: boolean
}

/** What became of one part of the plan. */
interface Made<Part> {
  readonly part: Part
  readonly state: 'planned' | 'stored' | 'stands'
  readonly id: string | null
}
interface MadePolicy extends Made<PlannedPolicy> {
  readonly version: number | null
}
interface Result {
  readonly credentials: readonly Made<PlannedCredential>[]
  readonly policies: readonly MadePolicy[]
  readonly keys: readonly (NewKeyReply & { readonly name: string; readonly policy: string })[]
  readonly leftOut: readonly Remark[]
}

/**
 * Takes over a Janee configuration. It only ever adds: a credential that is there keeps its secret, and a policy that
 * says something else stays the last word under its name.
 */
export async function importJanee(context: Context, options: ImportOptions, file: string): Promise<number> {
  const { text, name } = await readSource(context, file)
  const beside = join(dirname(file), 'credentials.json')
  const secrets = options.credentials ?? (file !== '-' && existsSync(resolve(context.io.cwd, beside)) ? beside : null)
  const credentials = secrets === null ? null : await readSource(context, secrets)
  const { plan, leftOut } = await checked(planFor({ text, name, credentials }, { dailyCap: options.dailyCap }))
  const made =
    options.dryRun === true ? planned(plan) : await carriedOut(await context.api(), plan, options.keys === true)
  const result: Result = { ...made, leftOut: [...plan.leftOut, ...leftOut, ...made.leftOut] }
  if (context.json) context.reply(asJson(plan, result))
  else show(context, plan, result, options)
  // Whoever runs this in a script must not take a part for the whole.
  return result.leftOut.length === 0 ? Exit.ok : Exit.failure
}

/** The same reading as the server's, so that nothing is half done when a policy could not be stored. */
async function checked(plan: Plan): Promise<{ readonly plan: Plan; readonly leftOut: readonly Remark[] }> {
  const { checkPolicy } = await import('../../main.js')
  const leftOut: Remark[] = []
  const policies = plan.policies.flatMap((policy): PlannedPolicy[] => {
    const found = checkPolicy(JSON.stringify(policy.document), policy.capability)
    if (found.ok) return [{ ...policy, document: found.document as PlannedPolicy['document'] }]
    for (const { path, message } of found.faults)
      leftOut.push({
        at: policy.at,
        message: `${policy.capability} is left out. Its policy has a fault: ${path} ${message}`,
      })
    return []
  })
  return { plan: { ...plan, policies }, leftOut }
}

const planned = ({ credentials, policies }: Plan): Result => ({
  credentials: credentials.map((part) => ({ part, state: 'planned', id: null })),
  policies: policies.map((part) => ({ part, state: 'planned', id: null, version: null })),
  keys: [],
  leftOut: [],
})

async function carriedOut(api: Api, plan: Plan, withKeys: boolean): Promise<Result> {
  const leftOut: Remark[] = []
  /** A refusal of the server concerns one part; that nobody answers concerns everything. */
  const orLeftOut = async <T>(at: string, what: string, act: () => Promise<T>): Promise<T | null> => {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof CliFault) || error.exit !== Exit.failure) throw error
      const lines = (error.more.lines ?? []).map(({ message }) => message)
      leftOut.push({
        at,
        message: `${what} was refused: ${[...lines, ...(lines.length > 0 ? [] : [error.message])].join(' ')}`,
      })
      return null
    }
  }

  const credentials: Made<PlannedCredential>[] = []
  const there = await api.all<CredentialReply>('/credentials', 'credentials')
  for (const part of plan.credentials) {
    const old = there.find(({ vendor, name }) => vendor === part.vendor && name === part.name)
    if (old !== undefined) {
      credentials.push({ part, state: 'stands', id: old.id })
      continue
    }
    const stored = await orLeftOut(part.at, `services.${part.service}`, () =>
      api.post<CredentialReply>('/credentials', credentialBody(part)),
    )
    if (stored !== null) credentials.push({ part, state: 'stored', id: stored.id })
  }

  const policies: MadePolicy[] = []
  const stored = await api.all<PolicyReply>('/policies', 'policies')
  for (const part of plan.policies) {
    const { document, capability, at } = part
    const what = `capabilities.${capability}`
    if (!credentials.some((each) => each.part.service === part.service)) {
      leftOut.push({ at, message: `${what} is left out with its service ${part.service}` })
      continue
    }
    if (stored.some(({ name }) => name === document.name)) {
      const old = await api.get<PolicyReply>(`/policies/${encodeURIComponent(document.name)}`)
      if (isDeepStrictEqual(old.document, document))
        policies.push({ part, state: 'stands', id: old.id, version: old.version })
      else
        leftOut.push({
          at,
          message: `${what} is left out: the policy ${document.name}@${old.version} says something else. Rename one of them`,
        })
      continue
    }
    const made = await orLeftOut(at, what, () => api.post<PolicyReply>('/policies', document))
    if (made !== null) policies.push({ part, state: 'stored', id: made.id, version: made.version })
  }

  const keys: (NewKeyReply & { name: string; policy: string })[] = []
  const living = withKeys ? await livingKeys(api) : new Set<string>()
  for (const { part, version } of withKeys ? policies : []) {
    const credential = credentials.find((each) => each.part.service === part.service)!
    for (const name of part.keys) {
      if (living.has(name)) {
        leftOut.push({ at: part.at, message: `No key ${name} was made: a living key is called so` })
        continue
      }
      const policy = `${part.document.name}@${version}`
      const body = { name, policy, credentials: [credential.id] }
      const made = await orLeftOut(part.at, `The key ${name}`, () => api.post<NewKeyReply>('/keys', body))
      if (made !== null) keys.push({ ...made, name, policy })
    }
  }
  return { credentials, policies, keys, leftOut }
}

const KEYS_READ_MAX = 5_000
async function livingKeys(api: Api): Promise<ReadonlySet<string>> {
  const { rows } = await api.pages<KeyReply>('/keys', 'keys', KEYS_READ_MAX)
  return new Set(rows.filter(({ status }) => status === 'active').map(({ name }) => name))
}

const credentialBody = ({ vendor, name, generic, secret }: PlannedCredential): object => ({
  vendor,
  name,
  ...(generic === null
    ? {}
    : { base_url: generic.baseUrl, auth: generic.auth, ...(generic.headers && { headers: generic.headers }) }),
  secret: Object.fromEntries(Object.entries(secret).map(([part, text]) => [part, text.reveal()])),
})

function asJson(plan: Plan, result: Result): object {
  return {
    credentials: result.credentials.map(({ part, state, id }) => ({
      service: part.service,
      at: part.at,
      vendor: part.vendor,
      name: part.name,
      base_url: part.generic?.baseUrl ?? null,
      auth: part.generic?.auth.scheme ?? null,
      state,
      id,
    })),
    policies: result.policies.map(({ part, state, id, version }) => ({
      capability: part.capability,
      at: part.at,
      service: part.service,
      document: part.document,
      keys: part.keys,
      state,
      id,
      version,
    })),
    keys: result.keys,
    left_out: result.leftOut,
    changed: plan.changed,
    let_through: plan.letThrough,
  }
}

function show(context: Context, plan: Plan, result: Result, { dryRun, keys }: ImportOptions): void {
  const titled = (title: string, text: string): void =>
    context.show(`${context.style.paint('strong', title)}\n${text}\n`)
  const told = (title: string, remarks: readonly Remark[]): void => {
    const text = remarks.map(({ at, message }) => `  ${context.style.paint('faint', safe(at))}  ${safe(message)}.\n`)
    if (remarks.length > 0) titled(title, text.join(''))
  }
  if (result.credentials.length > 0)
    titled('Credentials', table(context.style, CREDENTIALS, result.credentials.map(credentialRow)))
  if (result.policies.length > 0) titled('Policies', table(context.style, POLICIES, result.policies.map(policyRow)))
  if (result.keys.length > 0)
    titled(
      'Keys, shown this once',
      table(
        context.style,
        KEYS,
        result.keys.map(({ name, policy, key, expires_at: end }) => [name, policy, key, instant(end)]),
      ),
    )
  told('Left out', result.leftOut)
  told('Different here', plan.changed)
  told('Let through by Janee, refused here', plan.letThrough)
  if (dryRun === true) context.say('Nothing was stored. Repeat it without --dry-run to do it.')
  else if (keys !== true && result.policies.length > 0)
    context.say('No keys were made. Make one:  spendgate key create NAME --policy POLICY --credential CREDENTIAL')
}

const titles = (...names: readonly string[]) => names.map((title) => ({ title }))
const CREDENTIALS = titles('SERVICE', 'VENDOR', 'ADDRESS', 'AUTH', '')
const POLICIES = titles('CAPABILITY', 'SERVICE', 'ALLOW', 'DENY', 'LIFE', '')
const KEYS = titles('NAME', 'POLICY', 'KEY', 'EXPIRES (UTC)')

const STATES = { planned: 'to be stored', stored: 'stored', stands: 'stands already' } as const
const became = ({ state, id }: Made<unknown>): string => (id === null ? STATES[state] : `${STATES[state]}: ${id}`)

function credentialRow(made: Made<PlannedCredential>): string[] {
  const { service, vendor, baseUrl, generic } = made.part
  const auth = generic === null ? 'its own' : generic.auth.scheme === 'header' ? generic.auth.name : generic.auth.scheme
  return [service, vendor, baseUrl.host, auth, became(made)]
}

function policyRow(made: MadePolicy): string[] {
  const { capability, service, document } = made.part
  const { allow, deny } = Object.values(document.vendors)[0]!.endpoints
  return [capability, service, String(allow.length), String(deny.length), document.expires_in, became(made)]
}
