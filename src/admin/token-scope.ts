import type { z } from 'zod'
import type { CredentialRecord, KeyRecord } from '../contracts/ledger.js'
import { formatUsd, type Usd } from '../contracts/money.js'
import type { Policy } from '../contracts/policy.js'
import type { Operation, Vendor } from '../contracts/vendor.js'
import type { Credentials } from '../engine.js'
import { credentialsOf } from './issue.js'
import type { IssueDeps } from './issue.js'
import { conflict, invalid, invalidDocument } from './problem.js'
import type { newToken } from './schemas.js'
import { lineage, policyOf } from './views.js'

/*
 * What a token may do: some of its parent's credentials, and narrowings of its parent's policy. Nothing that is said
 * here can widen what the parent may do.
 */

export type TokenWish = z.output<typeof newToken>

export interface ScopeDeps extends IssueDeps {
  /** Opens credentials whose vendor exists by configuration: where they lead is sealed with them. */
  readonly reach?: { readonly credentials: Pick<Credentials, 'open'> }
}

/** One of the parent's credentials, with the hosts it is sent to. */
interface Granted {
  readonly credential: CredentialRecord
  readonly vendor: Vendor
  readonly hosts: readonly string[]
}

export interface TokenScope {
  readonly credentials: readonly CredentialRecord[]
  /** After those of the parent, which the token has as well. */
  readonly narrowings: readonly unknown[]
}

/** @throws Problem naming the field that asks for what the parent does not have, or that cannot be read */
export function scopeUnder(deps: ScopeDeps, parent: KeyRecord, wish: TokenWish): TokenScope {
  const left = leftOf(deps, parent, wish)
  return { credentials: left.map(({ credential }) => credential), narrowings: narrowingsOf(deps, parent, wish, left) }
}

/**
 * The parent's credentials that all three fields leave. What a field names and the parent does not have is refused: left
 * out in silence, it would be looked for in a token that never had it.
 */
function leftOf(deps: ScopeDeps, parent: KeyRecord, wish: TokenWish): readonly Granted[] {
  const granted = credentialsOf(deps.ledger, parent).map((credential): Granted => {
    const vendor = vendorOf(deps, credential.vendor)
    const hosts = wish.allowedDomains === undefined ? [] : hostsOf(deps, credential, vendor)
    return { credential, vendor, hosts }
  })
  const has = (what: readonly string[]): string => `The key ${parent.id} has: ${what.join(', ')}.`
  const wanted = wish.allowedKeyIds?.map((text, place) => {
    const found =
      granted.find(({ credential }) => credential.id === text) ?? granted.find((each) => isNamed(each, text))
    if (found !== undefined) return found
    const names = has(granted.map(({ credential }) => credential.name))
    throw invalid(`allowedKeyIds.${place}`, `There is no credential of this id or name. ${names}`)
  })
  for (const [place, provider] of (wish.allowedProviders ?? []).entries())
    if (!granted.some(({ vendor }) => vendor.name === provider)) {
      const names = has(granted.map(({ vendor }) => vendor.name))
      throw invalid(`allowedProviders.${place}`, `There is no credential for this vendor. ${names}`)
    }
  for (const [place, domain] of (wish.allowedDomains ?? []).entries())
    if (!granted.some((each) => within(each, [domain]).length > 0)) {
      const names = has(granted.map(({ hosts }) => hosts[0]!))
      throw invalid(`allowedDomains.${place}`, `No vendor of the key is called there. ${names}`)
    }
  const left = granted.filter(
    (each) =>
      (wanted?.includes(each) ?? true) &&
      (wish.allowedProviders?.includes(each.vendor.name) ?? true) &&
      (wish.allowedDomains === undefined || within(each, wish.allowedDomains).length > 0),
  )
  if (left.length > 0) return left
  throw invalid('', 'allowedKeyIds, allowedProviders and allowedDomains together leave no credential.')
}

const isNamed = ({ credential: { vendor, name } }: Granted, text: string): boolean =>
  text === name || text === `${vendor}/${name}`

/** Of a vendor by configuration the one that its credential is bound to. */
const hostsOf = ({ reach }: ScopeDeps, credential: CredentialRecord, vendor: Vendor): readonly string[] =>
  vendor.bindings === undefined ? vendor.hosts : [reach?.credentials.open(credential).bound?.host ?? '']

const within = ({ hosts }: Granted, domains: readonly string[]): readonly string[] =>
  hosts.filter((host) => domains.some((domain) => covers(domain, host)))

function covers(domain: string, host: string): boolean {
  const name = host.replace(/:\d+$/, '')
  return domain.startsWith('*.') ? name.endsWith(domain.slice(1)) : host === domain || name === domain
}

/** The scope as narrowings. Methods and hosts stand in one, endpoints in another, because a call must fit both. */
function narrowingsOf(deps: ScopeDeps, parent: KeyRecord, wish: TokenWish, left: readonly Granted[]): unknown[] {
  const own = policyFor(deps, parent).issue
  const blocks = (block: (granted: Granted) => object): object => ({
    vendors: Object.fromEntries(left.map((each) => [each.vendor.name, block(each)])),
  })
  const scope = {
    // A scope that is only observed is none, whatever the policy does with its own rules.
    mode: 'enforce',
    ...(wish.rateLimitPerMinute === undefined ? {} : { rate_limit: { per_minute: wish.rateLimitPerMinute } }),
    ...(wish.daily_cap_usd === undefined ? {} : { daily_cap_usd: wish.daily_cap_usd }),
    ...(own === null ? {} : { issue: { max_children: own.childrenMax, max_depth: Math.max(0, own.depthMax - 1) } }),
    ...blocks((granted) => ({
      ...reachOf(granted, wish),
      ...(wish.max_amount_usd === undefined ? {} : { max_amount_usd: wish.max_amount_usd }),
    })),
  }
  const layers = [checked(deps, scope)]
  if (wish.endpoints === undefined) return layers
  const endpoints = patternsIn(wish.endpoints)
  const patterns = blocks(() => ({ endpoints }))
  return [...layers, checked(deps, patterns)]
}

const patternsIn = (endpoints: NonNullable<TokenWish['endpoints']>) =>
  Array.isArray(endpoints) ? { allow: endpoints } : endpoints

/** What is left of a vendor's endpoints by method and host. A path without a host is the main one's, unless its operation says otherwise. */
function reachOf(granted: Granted, { allowedMethods, allowedDomains }: TokenWish): object {
  if (allowedMethods === undefined && allowedDomains === undefined) return {}
  const methods = allowedMethods ?? ['*']
  const everywhere = (paths: readonly string[]): string[] =>
    methods.flatMap((method) => paths.map((path) => `${method} ${path}`))
  if (allowedDomains === undefined) return { endpoints: { allow: everywhere(['*']) } }
  const { vendor, hosts: all } = granted
  const hosts = within(granted, allowedDomains)
  const main = hosts.includes(all[0]!)
  const elsewhere = vendor.operations.filter(({ host }) => host !== undefined)
  const served = main ? [] : routesOf(elsewhere.filter(({ host }) => hosts.includes(host!)))
  const foreign = main ? routesOf(elsewhere.filter(({ host }) => !hosts.includes(host!))) : []
  const others = hosts.filter((host) => host !== all[0])
  return {
    endpoints: {
      allow: [
        ...everywhere([...(main ? ['/*'] : []), ...others.map((host) => `${host}/*`)]),
        ...served.filter((route) => allowedMethods?.some((method) => route.startsWith(`${method} `)) ?? true),
      ],
      ...(foreign.length === 0 ? {} : { deny: foreign }),
    },
  }
}

const routesOf = (operations: readonly Operation[]): string[] => [
  ...new Set(operations.flatMap(({ routes }) => routes.map((route) => route.replace(/\{[^}]*\}/g, '*')))),
]

/** A narrowing that can be stored. Only endpoints are the wisher's own text, so faults are told at their place there. */
function checked({ judge }: IssueDeps, patch: object): unknown {
  const parsed = judge.parseNarrowing(patch)
  if (parsed.ok) return parsed.patch
  const told = parsed.faults.map(({ path, message }) => ({
    path: path.replace(/^vendors\.[^.]+\./, '').replace(/\[(\d+)\]/g, '.$1'),
    message,
  }))
  throw invalidDocument([...new Map(told.map((fault) => [fault.path, fault])).values()])
}

/** What holds for a token in the end: its own wish and what stood above it. */
export function scopeShown(deps: IssueDeps, token: KeyRecord, wish: TokenWish): object {
  const policies = lineage(deps.ledger, token).map((key) => policyFor(deps, key))
  const vendors = credentialsOf(deps.ledger, token).map(({ vendor }) => vendor)
  const daily = policies.flatMap(({ budgets }) => budgets.filter(({ code }) => code === 'daily_cap_exceeded'))
  const endpoints = wish.endpoints && patternsIn(wish.endpoints)
  const dollars = (caps: readonly (Usd | undefined)[]): string | null => {
    const least = leastOf(caps)
    return least === null ? null : formatUsd(least)
  }
  return {
    allowedKeyIds: token.credentialIds,
    allowedProviders: vendors,
    allowedMethods: wish.allowedMethods ?? null,
    allowedDomains: wish.allowedDomains ?? null,
    endpoints: endpoints ? { allow: endpoints.allow ?? null, deny: endpoints.deny ?? [] } : null,
    rateLimitPerMinute: leastOf(policies.map(({ perMinute }) => perMinute ?? undefined)),
    daily_cap_usd: dollars(daily.map(({ cap }) => cap)),
    max_amount_usd: Object.fromEntries(
      vendors.map((vendor) => [vendor, dollars(policies.map((policy) => policy.vendors.get(vendor)?.maxAmount))]),
    ),
  }
}

function leastOf<Size extends number | bigint>(sizes: readonly (Size | undefined)[]): Size | null {
  return sizes.reduce<Size | null>(
    (least, size) => (size === undefined || (least !== null && least <= size) ? least : size),
    null,
  )
}

/** The policy that is in force at a key, without those above it. */
export function policyFor({ ledger, judge }: IssueDeps, key: KeyRecord): Policy {
  const { document, version } = policyOf(ledger, key)
  return judge.compile(document, version, key.narrowings)
}

function vendorOf({ vendors }: IssueDeps, name: string): Vendor {
  const vendor = vendors.find((each) => each.name === name)
  if (vendor === undefined) throw conflict(`The vendor ${name} is not served any more.`)
  return vendor
}
