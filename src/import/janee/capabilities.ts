import { bypassesOf, type Bypass } from './bypasses.js'
import type { Capability, JaneeFile, Remark } from './file.js'
import { endpointFor, isOpen, letsThrough, patternIn, type Rules } from './rules.js'
import type { PlannedCredential } from './services.js'

/** A policy as `POST /policies` takes it, for one capability. */
export interface PlannedPolicy {
  readonly capability: string
  readonly at: string
  readonly document: PolicyDocument
  /** The service whose credential its keys get. */
  readonly service: string
  /** Keys that would be made: one, or one for each agent that Janee let use it. */
  readonly keys: readonly string[]
}

export interface PolicyDocument {
  readonly apiVersion: 'spendgate/v1'
  readonly name: string
  readonly expires_in: string
  readonly daily_cap_usd?: string
  readonly require_reason?: true
  readonly vendors: Readonly<Record<string, VendorBlock>>
}

interface VendorBlock {
  readonly endpoints: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly cost_usd?: string
}

/** What Janee let through and is refused here. */
export interface LetThrough extends Partial<Bypass> {
  readonly capability: string
  readonly at: string
  readonly message: string
}

export interface Capabilities {
  readonly policies: readonly PlannedPolicy[]
  readonly leftOut: readonly Remark[]
  readonly changed: readonly Remark[]
  readonly letThrough: readonly LetThrough[]
}

/** What spendgate has a word for and Janee has not. */
export interface Limits {
  /** USD a day over everything a key does; without one there is no cap. */
  readonly dailyCap?: string | undefined
}

const RULES_MAX = 1_000

/** Janee's own name for a capability has to be a policy's. */
const POLICY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export function capabilitiesOf(
  file: JaneeFile,
  credentials: ReadonlyMap<string, PlannedCredential>,
  limits: Limits,
): Capabilities {
  const policies: PlannedPolicy[] = []
  const leftOut: Remark[] = []
  const changed: Remark[] = []
  const letThrough: LetThrough[] = []
  for (const [name, capability] of file.capabilities) {
    const path = ['capabilities', name]
    const credential = credentials.get(capability.service)
    const remark = (part: readonly (string | number)[], message: string): Remark => ({
      at: file.at([...path, ...part]),
      message: `capabilities.${name}${part.map((step) => `.${step}`).join('')} ${message}`,
    })
    const faults = faultsOf(name, capability, credential)
    const endpoints = endpointsOf(capability.rules ?? null, credential?.below ?? '')
    faults.push(...endpoints.faults)
    if (faults.length > 0 || credential === undefined) {
      leftOut.push(...faults.map(({ part, message }) => remark(part, `${message}. ${name} is left out`)))
      continue
    }
    leftOut.push(...endpoints.dropped.map(({ part, message }) => remark(part, `${message}. The rule is left out`)))
    const keys = keysOf(name, capability, file)
    const document = documentFor(name, capability, credential, endpoints, limits)
    policies.push({ capability: name, at: file.at(path), document, service: capability.service, keys })
    changed.push(...changesIn(capability, credential, keys).map(({ part, message }) => remark(part, message)))
    letThrough.push(...letThroughBy(name, capability, file, credential))
  }
  const section = file.at(['capabilities'])
  changed.push(...ofAll(policies, credentials).map((message) => ({ at: section, message })))
  return { policies, leftOut, changed, letThrough }
}

/** What is to be said once of everything that it is true of. */
function ofAll(policies: readonly PlannedPolicy[], credentials: ReadonlyMap<string, PlannedCredential>): string[] {
  const named = (which: (policy: PlannedPolicy, generic: boolean) => boolean): string =>
    policies
      .filter((policy) => which(policy, credentials.get(policy.service)!.generic !== null))
      .map(({ capability }) => capability)
      .join(', ')
  const sentences: readonly (readonly [names: string, sentence: (names: string) => string])[] = [
    [
      named(() => true),
      (names) => `ttl is the life of a key here, from when it is made (${names}). In Janee it ended nothing`,
    ],
    [
      named(({ document }, generic) => !generic && document.daily_cap_usd === undefined),
      (names) =>
        `There is no limit on money, which Janee does not know (${names}). Set daily_cap_usd, or import with --daily-cap`,
    ],
    [
      named(({ document }, generic) => !generic && writes(document)),
      (names) =>
        `What would spend later, hand out access, route money elsewhere or destroy needs permit here (${names})`,
    ],
    [
      named(({ document }) => allowed(document).some((endpoint) => !endpoint.endsWith('*'))),
      (names) =>
        `A query is no part of a pattern here: what is allowed without one passes with any (${names}). In Janee it did not`,
    ],
    [
      named((_, generic) => generic),
      (names) =>
        `Every call counts as USD 0.00, because Janee knows no cost (${names}). Where calls cost money, set cost_usd`,
    ],
    [
      named((_, generic) => generic),
      (names) =>
        `Headers of the agent's own go no further (${names}). What an API wants with every call belongs to its credential`,
    ],
  ]
  return sentences.flatMap(([names, sentence]) => (names === '' ? [] : [sentence(names)]))
}

const allowed = ({ vendors }: PolicyDocument): readonly string[] =>
  Object.values(vendors).flatMap(({ endpoints }) => endpoints.allow)
const writes = (document: PolicyDocument): boolean => allowed(document).some((endpoint) => !endpoint.startsWith('GET '))

interface About {
  readonly part: readonly (string | number)[]
  readonly message: string
}

function faultsOf(
  name: string,
  { service, mode, rules }: Capability,
  credential: PlannedCredential | undefined,
): About[] {
  const faults: About[] = []
  if (!POLICY_NAME.test(name))
    faults.push({ part: [], message: 'has a name that no policy can have: letters, digits, dots, - and _' })
  const count = (rules?.allow?.length ?? 0) + (rules?.deny?.length ?? 0)
  if (count > RULES_MAX)
    faults.push({ part: ['rules'], message: `are ${count}, more than the ${RULES_MAX} that can be taken over` })
  if (mode === 'exec')
    faults.push({
      part: ['mode'],
      message:
        'gives a program the key itself; spendgate gives nobody a key. Start the program with spendgate run, which ' +
        'leads its calls here under a key of its own',
    })
  else if (credential === undefined)
    faults.push({
      part: ['service'],
      message: `is ${service}, which is not among the services that can be had here`,
    })
  return faults
}

interface Endpoints {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  /** Allowing rules without a counterpart: without them less is allowed. */
  readonly dropped: readonly About[]
  /** Denying rules without one: without them more would be allowed, so the capability cannot be had. */
  readonly faults: readonly About[]
}

function endpointsOf(rules: Rules | null, below: string): Endpoints {
  const told = (list: 'allow' | 'deny'): { endpoints: string[]; faults: About[] } => {
    const endpoints: string[] = []
    const faults: About[] = []
    for (const [at, text] of (rules?.[list] ?? []).entries()) {
      const found = endpointFor(text, below)
      if ('endpoint' in found) endpoints.push(found.endpoint)
      else faults.push({ part: ['rules', list, at], message: `«${text}» ${found.fault}` })
    }
    return { endpoints: [...new Set(endpoints)], faults }
  }
  const allow = told('allow')
  const deny = told('deny')
  // Without an allow list Janee lets everything pass, which here has to be written down.
  const everything = (rules?.allow ?? null) === null
  return {
    allow: everything ? [`* ${below}/*`] : allow.endpoints,
    deny: deny.endpoints,
    dropped: allow.faults,
    faults: deny.faults,
  }
}

function documentFor(
  name: string,
  { ttl, requiresReason }: Capability,
  { vendor, generic }: PlannedCredential,
  { allow, deny }: Endpoints,
  { dailyCap }: Limits,
): PolicyDocument {
  return {
    apiVersion: 'spendgate/v1',
    name,
    expires_in: ttl,
    ...(dailyCap === undefined ? {} : { daily_cap_usd: dailyCap }),
    ...(requiresReason === true ? { require_reason: true } : {}),
    // Janee knows no cost, and what has no stated cost is refused here.
    vendors: { [vendor]: { endpoints: { allow, deny }, ...(generic === null ? {} : { cost_usd: '0.00' }) } },
  }
}

/** One for each agent that Janee let use it. It believed the name a client gives itself; here the key is the identity. */
function keysOf(name: string, capability: Capability, file: JaneeFile): string[] {
  const agents = agentsOf(capability, file)
  return agents === null ? [name] : agents.map((agent) => `${name}-${agent}`)
}

/** Null for all of them. */
function agentsOf({ service, allowedAgents, access }: Capability, file: JaneeFile): readonly string[] | null {
  if ((allowedAgents ?? []).length > 0) return [...new Set(allowedAgents)]
  if ((access ?? (file.restricted ? 'restricted' : 'open')) === 'restricted') return []
  const { accessPolicy = 'all-agents', createdBy = null, sharedWith } = file.services.get(service)?.ownership ?? {}
  if (accessPolicy === 'all-agents') return null
  const owner = createdBy === null ? [] : [createdBy]
  return [...new Set(accessPolicy === 'shared' ? [...owner, ...(sharedWith ?? [])] : owner)]
}

function changesIn(capability: Capability, { below }: PlannedCredential, keys: readonly string[]): About[] {
  const { rules = null, autoApprove, allowedAgents } = capability
  const changes: About[] = []
  const say = (part: readonly (string | number)[], message: string): void => void changes.push({ part, message })
  if (isOpen(rules)) say([], `has no rules, so Janee let everything through; the policy says so: allow «* ${below}/*»`)
  if (autoApprove === false)
    say(['autoApprove'], 'had no effect in Janee 0.16. To be asked before dear calls, add approval to the policy')
  if (keys.length === 0) say([], 'is open to no agent, so it gets a policy and no key')
  else if ((allowedAgents ?? []).length > 0)
    say(['allowedAgents'], 'are names that clients give themselves; here each agent has a key of its own')
  for (const [list, texts] of Object.entries({ allow: rules?.allow ?? [], deny: rules?.deny ?? [] }))
    for (const [at, text] of texts.entries()) {
      const gap = gapOf(text, rules!, list === 'allow')
      if (gap !== null) say(['rules', list, at], gap)
    }
  return changes
}

/** `POST /v1/refunds/*` is not about `POST /v1/refunds`. Both systems read it so; few who write it do. */
function gapOf(text: string, rules: Rules, allowing: boolean): string | null {
  const pattern = patternIn(text)
  if (pattern === null || !/[^/*]\/\*$/.test(pattern.path) || pattern.path.slice(0, -2).includes('*')) return null
  const stem = pattern.path.slice(0, -2)
  const method = pattern.method === '*' ? 'POST' : pattern.method
  const passes = letsThrough(rules, method, stem)
  if (passes === allowing) return null
  return allowing
    ? `does not allow «${method} ${stem}» itself, here as in Janee. Add it if it is meant`
    : `does not deny «${method} ${stem}» itself, here as in Janee. Add it if it is meant`
}

function letThroughBy(
  name: string,
  capability: Capability,
  file: JaneeFile,
  { baseUrl }: PlannedCredential,
): LetThrough[] {
  const { rules = null, service } = capability
  const at = file.at(['capabilities', name])
  const found: LetThrough[] = bypassesOf(rules ?? {}, baseUrl).map(({ request, arrives }) => ({
    capability: name,
    at,
    request,
    arrives,
    message: `Janee let «${request}» through, which arrives as «${arrives}»`,
  }))
  if (isOpen(rules)) return found
  const agents = agentsOf(capability, file)
  const others = [...file.capabilities].flatMap(([other, each]) => {
    const theirs = agentsOf(each, file)
    const shared = theirs === null ? agents?.length !== 0 : theirs.some((agent) => agents?.includes(agent) ?? true)
    return other !== name && each.service === service && each.mode !== 'exec' && isOpen(each.rules ?? null) && shared
      ? [other]
      : []
  })
  if (others.length === 0) return found
  const message = `Janee let everything through at ${service} for whoever named ${others.join(' or ')} in place of ${name}. Here a key has one policy`
  return [...found, { capability: name, at, message }]
}
