import { basename } from 'node:path'
import type { Choice } from '../mcp-probe.js'
import type { NewKeyReply } from '../replies.js'
import { VENDORS, type VendorName } from '../secrets.js'
import type { Entry } from './entry.js'
import { holdsRealKey, isPlaceholder, isVaultKey, TWILIO_WORD } from './shapes.js'

export type Presentations = NewKeyReply['presentations']

/** A reading call that costs nothing, made to see which way it goes. */
export interface Harmless {
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
}

/** What is known of a vendor's own MCP server: how it is recognised, and where it takes its key from. */
interface VendorServer {
  readonly package: string
  /** Matches a word of the command line, or the address, of the server however it is started. */
  readonly known: RegExp
  readonly base: string
  /** Variables its keys are given in, by the server itself or by the launcher under it. */
  readonly keyNames: readonly string[]
  /** Arguments that carry a key: the word itself, or the flag before it. */
  readonly keyFlag: RegExp | null
  env(presentations: Presentations): Readonly<Record<string, string>>
  args(presentations: Presentations): readonly string[]
  readonly harmless: readonly Harmless[]
}

export const SERVERS: Readonly<Record<VendorName, VendorServer>> = {
  stripe: {
    package: '@stripe/mcp',
    known: /(?:^|[/\\])@stripe[/\\]mcp(?:@[^/\\]*)?(?:$|[/\\])|^mcp\/stripe(?::|$)|^https:\/\/mcp\.stripe\.com(?:\/|$)/,
    base: 'STRIPE_API_BASE',
    keyNames: ['STRIPE_SECRET_KEY', 'STRIPE_API_KEY'],
    keyFlag: /^--api-key(?:=|$)/,
    // Its own check of the key wants rk_ or sk_, and it reads this variable alone (0.3.3).
    env: ({ stripe }) => (stripe?.[0] === undefined ? {} : { STRIPE_SECRET_KEY: stripe[0] }),
    args: () => [],
    harmless: [
      { tool: 'get_stripe_account_info', args: {} },
      { tool: 'retrieve_balance', args: {} },
      { tool: 'stripe_api_read', args: { stripe_api_operation_id: 'GetBalance', parameters: {} } },
    ],
  },
  twilio: {
    package: '@twilio-alpha/mcp',
    known: /(?:^|[/\\])@twilio-alpha[/\\]mcp(?:@[^/\\]*)?(?:$|[/\\])/,
    base: 'TWILIO_API_BASE',
    keyNames: ['TWILIO_AUTH_TOKEN', 'TWILIO_API_SECRET', 'TWILIO_API_KEY', 'TWILIO_ACCOUNT_SID'],
    keyFlag: null,
    env: () => ({}),
    // It takes its key as an argument only, so the vault key shows in the process list.
    args: ({ twilio }) => (twilio ? [`${twilio.account_sid}/${twilio.api_key_sid}:${twilio.api_key_secret}`] : []),
    harmless: [{ tool: 'TwilioApiV2010--ListAccount', args: {} }],
  },
  resend: {
    package: 'resend-mcp',
    known: /(?:^|[/\\])resend-mcp(?:@[^/\\]*)?(?:$|[/\\])|^https:\/\/mcp\.resend\.com(?:\/|$)/,
    base: 'RESEND_BASE_URL',
    keyNames: ['RESEND_API_KEY'],
    keyFlag: /^--(?:api-)?key(?:=|$)/,
    env: ({ resend }) => (resend === undefined ? {} : { RESEND_API_KEY: resend }),
    args: () => [],
    harmless: [{ tool: 'list-domains', args: {} }],
  },
}

/** The first of a vendor's harmless tools that a server has. */
export const harmlessOf =
  (vendor: VendorName): Choice =>
  (tools) =>
    SERVERS[vendor].harmless.find(({ tool }) => tools.includes(tool)) ?? null

/** Which vendor's server an entry starts or calls, by its package or address; null for any other. */
export function vendorOf(entry: Entry, agent: URL): VendorName | null {
  const words = [entry.url ?? '', entry.command ?? '', ...entry.args]
  const governed = words.map((word) => governedVendor(word, agent)).find((vendor) => vendor !== null)
  return governed ?? VENDORS.find((vendor) => words.some((word) => SERVERS[vendor].known.test(word))) ?? null
}

/** Also a server of somebody else's that is given a vendor's key or base. */
export const vendorServed = (entry: Entry, agent: URL): VendorName | null =>
  vendorOf(entry, agent) ??
  VENDORS.find((vendor) => {
    const { base, keyNames } = SERVERS[vendor]
    return [base, ...keyNames].some((name) => entry.env[name] !== undefined)
  }) ??
  null

/** The vendor of an address at spendgate's agent port. */
export function governedVendor(word: string, agent: URL): VendorName | null {
  if (!URL.canParse(word)) return null
  const url = new URL(word)
  const [, vendor] = /^\/(?:run\/[^/]+\/)?mcp\/([a-z]+)\/?$/.exec(url.pathname) ?? []
  return url.origin === agent.origin ? (VENDORS.find((each) => each === vendor) ?? null) : null
}

/** Names of the places in an entry where a real key of a vendor stands. */
export function realKeysIn(entry: Entry): readonly string[] {
  const names = new Set(
    VENDORS.flatMap((vendor) => SERVERS[vendor].keyNames).filter((name) => name !== 'TWILIO_ACCOUNT_SID'),
  )
  const isReal = (name: string, value: string): boolean =>
    holdsRealKey(value) ||
    (names.has(name) && !isPlaceholder(value) && !isVaultKey(value) && !/^SK[0-9a-fA-F]{32}$/.test(value))
  const inArgs = entry.args.some((word) => {
    const secret = TWILIO_WORD.exec(word)?.[3]
    return (
      holdsRealKey(word) ||
      (/^AC[0-9a-fA-F]{32}\//.test(word) && !isVaultKey(secret ?? '') && !isPlaceholder(secret ?? ''))
    )
  })
  return [
    ...Object.entries(entry.env).flatMap(([name, value]) => (isReal(name, value) ? [name] : [])),
    ...Object.entries(entry.headers).flatMap(([name, value]) => (holdsRealKey(value) ? [name] : [])),
    ...(inArgs ? ['its arguments'] : []),
  ]
}

/** Started by a program that hands NODE_OPTIONS on to Node, so that the preload reaches the server. */
const NODE_STARTERS = new Set(['node', 'npx', 'npm', 'pnpm', 'pnpx', 'yarn'])
export const starterOf = (command: string): string =>
  basename(command.replaceAll('\\', '/'))
    .replace(/\.(?:exe|cmd|bat|ps1)$/i, '')
    .toLowerCase()
export const startsNode = (command: string): boolean => NODE_STARTERS.has(starterOf(command))

/** The command line of a vendor's server without any key: as the user had it where it is one that the preload reaches. */
export function commandLine(
  vendor: VendorName,
  entry: Entry | null,
): { readonly command: string; readonly args: readonly string[] } {
  const server = SERVERS[vendor]
  const usual = { command: 'npx', args: ['-y', server.package] }
  if (entry?.command == null || !startsNode(entry.command)) return usual
  const at = entry.args.findIndex((word) => server.known.test(word) && !URL.canParse(word))
  if (at < 0) return usual
  const args = entry.args.filter((word, i) => {
    if (i <= at) return true
    const before = entry.args[i - 1]!
    const flagged =
      server.keyFlag !== null && (server.keyFlag.test(word) || (server.keyFlag.test(before) && !before.includes('=')))
    return !flagged && !TWILIO_WORD.test(word) && !holdsRealKey(word) && !isVaultKey(word)
  })
  return { command: entry.command, args }
}

/** What else stands in an entry's environment and is nobody's key, base or hook of ours. */
export function keptEnv(vendor: VendorName, entry: Entry | null): Readonly<Record<string, string>> {
  const server = SERVERS[vendor]
  const gone = new Set([
    server.base,
    'RESEND_API_URL',
    'NODE_OPTIONS',
    'npm_config_node_options',
    ...VENDORS.flatMap((each) => SERVERS[each].keyNames),
  ])
  return Object.fromEntries(
    Object.entries(entry?.env ?? {}).filter(
      ([name, value]) => !gone.has(name) && !/^SPENDGATE_/.test(name) && !holdsRealKey(value) && !isVaultKey(value),
    ),
  )
}
