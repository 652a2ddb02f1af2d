import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseDocument, Scalar, type Document, type ParsedNode } from 'yaml'
import { formatUsd, parseUsd } from '../../contracts/money.js'
import type { SecretParts } from '../../contracts/vendor.js'
import { packageRoot } from '../../package-root.js'
import { agentUrl } from '../agent-url.js'
import type { Context } from '../context.js'
import { CliFault, Exit, usage } from '../exit.js'
import { safe } from '../output.js'
import type { CredentialReply, NewKeyReply, PolicyReply } from '../replies.js'
import {
  credentialParts,
  namesSource,
  vendorNamed,
  VENDORS,
  type AccountOptions,
  type SecretOptions,
  type VendorName,
} from '../secrets.js'
import { showNewKey } from './key.js'

interface InitOptions extends AccountOptions {
  readonly vendor?: readonly string[]
  readonly dailyCap?: string
  readonly customer?: readonly string[]
  readonly sender?: readonly string[]
  readonly recipient?: readonly string[]
  readonly preset?: string
  readonly name?: string
  readonly policyFile?: string
  readonly expires?: string
  readonly secretStdin?: boolean
  readonly secretEnv?: readonly string[]
  readonly secretFile?: readonly string[]
}

/**
 * From a vendor key to a vault key: stores the credential, writes a policy from a preset, makes a key under it.
 * Everything is asked for before anything is stored.
 */
export async function init(context: Context, options: InitOptions): Promise<number> {
  const api = await context.api()
  const stored = await api.all<CredentialReply>('/credentials', 'credentials')
  const vendors = await chosenVendors(context, options)
  const policy = await draftPolicy(context, options, vendors)
  const file = options.policyFile ?? `${policy.name}.yaml`
  const path = resolve(context.io.cwd, file)
  if (existsSync(path))
    throw usage(`${file} is there already. Name another with --policy-file, or another policy with --name.`)
  const wanted: (CredentialReply | { readonly vendor: VendorName; readonly secret: SecretParts })[] = []
  for (const vendor of vendors) wanted.push(await credentialFor(context, options, vendor, vendors.length, stored))

  const credentials: CredentialReply[] = []
  for (const each of wanted) {
    credentials.push(
      'secret' in each
        ? await api.post<CredentialReply>('/credentials', { ...each, name: nameFor(each.vendor, stored) })
        : each,
    )
  }
  const made = await api.postText<PolicyReply>('/policies', 'application/yaml', policy.text)
  writeFileSync(path, policy.text, { flag: 'wx', mode: 0o644 })
  const key = await api.post<NewKeyReply>('/keys', {
    name: policy.name,
    policy: `${made.name}@${made.version}`,
    credentials: credentials.map(({ id }) => id),
    ...(options.expires === undefined ? {} : { expires_in: options.expires }),
  })
  const baseUrls = Object.fromEntries(vendors.map((vendor) => [vendor, `${agentOrigin(context)}/${vendor}`]))
  if (context.json) {
    context.reply({
      credentials,
      policy: { id: made.id, name: made.name, version: made.version, file: path },
      key,
      base_urls: baseUrls,
    })
    return Exit.ok
  }
  for (const { id, vendor, name, last4 } of credentials)
    context.say(`✔ credential  ${id}  ${vendor}/${name}  …${last4}`)
  context.say(
    `✔ policy      ${made.name}@${made.version}, written to ${file}; "spendgate policy add ${file}" makes the next version`,
  )
  showNewKey(context, key, `${key.id}  ${policy.name}`, options.expires)
  context.show('\nNext: point the agent at the gate instead of the vendor, with this key instead of yours.\n')
  for (const vendor of vendors)
    context.show(`  ${vendor.padEnd(7)} base URL ${baseUrls[vendor]}${HINTS[vendor](agentUrl(context))}\n`)
  context.show('Then watch it:  spendgate tail\n')
  return Exit.ok
}

/** How a vendor's own client is pointed elsewhere, where that is short to say. */
const HINTS: Readonly<Record<VendorName, (gate: URL) => string>> = {
  stripe: ({ hostname, port }) => `   (stripe-node: host "${hostname}", port ${port}, protocol "http")`,
  twilio: () => '',
  resend: (gate) => `   (resend-node: RESEND_BASE_URL=${gate.origin}/resend)`,
}

async function chosenVendors(context: Context, { vendor }: InitOptions): Promise<readonly VendorName[]> {
  if (vendor !== undefined) return [...new Set(vendor.map(vendorNamed))]
  const answer = await answered(context, `Which vendors (${VENDORS.join(', ')})? [stripe] `, '--vendor')
  return answer === '' ? ['stripe'] : [...new Set(answer.split(/[\s,]+/).map(vendorNamed))]
}

/** The preset an operator who only named a vendor most likely wants. */
const USUAL: Readonly<Record<VendorName, string>> = {
  stripe: 'support-refunds',
  twilio: 'notifications-sms',
  resend: 'transactional-email',
}

async function draftPolicy(
  context: Context,
  options: InitOptions,
  vendors: readonly VendorName[],
): Promise<{ name: string; text: string }> {
  const [first] = vendors
  if (first === undefined) throw usage('Name at least one vendor.')
  const policy = preset(options.preset ?? USUAL[first])
  for (const vendor of vendors) {
    if (!policy.hasIn(['vendors', vendor]))
      policy.setIn(['vendors', vendor], preset(USUAL[vendor]).getIn(['vendors', vendor], true))
  }
  for (const vendor of VENDORS) if (!vendors.includes(vendor)) policy.deleteIn(['vendors', vendor])

  const name = options.name ?? (vendors.length === 1 ? String(policy.get('name')) : `${vendors.join('-')}-agent`)
  policy.set('name', name)
  policy.set('daily_cap_usd', quoted(await dailyCap(context, options, String(policy.get('daily_cap_usd')))))
  const limits = await allowlists(context, options, vendors)
  for (const [path, values] of limits)
    if (values.length > 0) policy.setIn(['vendors', ...path], policy.createNode(values.map(quoted), { flow: true }))
  return { name, text: policy.toString({ lineWidth: 120 }) }
}

function preset(name: string): Document.Parsed<ParsedNode> {
  const directory = join(packageRoot(), 'policies', 'presets')
  const names = readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -5))
    .sort()
  if (!names.includes(name)) throw usage(`There is no preset ${name}. Presets: ${names.join(', ')}.`)
  return parseDocument(readFileSync(join(directory, `${name}.yaml`), 'utf8'))
}

/** Money stays text: unquoted it would be a float to the next reader. */
function quoted(text: string): Scalar {
  const scalar = new Scalar(text)
  scalar.type = 'QUOTE_DOUBLE'
  return scalar
}

async function dailyCap(context: Context, options: InitOptions, usual: string): Promise<string> {
  const asks = options.dailyCap === undefined && context.io.ask !== null
  const text = asks
    ? (await answered(context, `Cap a day in USD, over everything the key does? [${usual}] `, '--daily-cap')) || usual
    : (options.dailyCap ?? usual)
  const cap = parseUsd(text)
  if (cap === null) throw usage('The cap a day must be US dollars such as 50 or 12.50.')
  return formatUsd(cap)
}

type Limit = readonly [path: readonly [VendorName, string], values: readonly string[]]

async function allowlists(
  context: Context,
  options: InitOptions,
  vendors: readonly VendorName[],
): Promise<readonly Limit[]> {
  const limits: Limit[] = []
  if (vendors.includes('stripe')) {
    const customers = options.customer ?? (await list(context, 'Only these customers (cus_…; empty: any)? '))
    limits.push([['stripe', 'customers'], customers])
  }
  for (const vendor of ['twilio', 'resend'] as const) {
    if (!vendors.includes(vendor)) continue
    const isMail = vendor === 'resend'
    const ours = (values: readonly string[]): readonly string[] =>
      values.filter((value) => value.includes('@') === isMail)
    const senders = ours(
      options.sender ??
        (await list(
          context,
          isMail ? 'Mail is sent from (billing@acme.com)? ' : 'Messages are sent from (+14155550100)? ',
        )),
    )
    const recipients = ours(
      options.recipient ?? (await list(context, isMail ? 'And only to (*@acme.com)? ' : 'And only to (+1415*)? ')),
    )
    limits.push([[vendor, 'senders'], senders], [[vendor, 'recipients'], recipients])
    if (senders.length === 0 || recipients.length === 0) {
      context.say(
        `The ${vendor} block keeps the example's senders or recipients: put your own into the policy (--sender, --recipient).`,
      )
    }
  }
  return limits
}

const list = async (context: Context, question: string): Promise<readonly string[]> =>
  context.io.ask === null ? [] : (await answered(context, question, '')).split(/[\s,]+/).filter((part) => part !== '')

async function credentialFor(
  context: Context,
  options: InitOptions,
  vendor: VendorName,
  vendorCount: number,
  stored: readonly CredentialReply[],
): Promise<CredentialReply | { readonly vendor: VendorName; readonly secret: SecretParts }> {
  const source = sourceFor(options, vendor, vendorCount)
  const [known] = stored.filter((credential) => credential.vendor === vendor)
  if (known !== undefined && !namesSource(source)) {
    const answer =
      context.io.ask === null
        ? ''
        : await answered(context, `Use the stored credential ${safe(known.name)} (…${safe(known.last4)})? [Y/n] `, '')
    if (!/^n/i.test(answer)) return known
  }
  return { vendor, secret: await credentialParts(context, vendor, source) }
}

/** The source of one vendor's secret among `--secret-env stripe=NAME`; a bare NAME is for the only vendor. */
function sourceFor(options: InitOptions, vendor: VendorName, vendorCount: number): SecretOptions & AccountOptions {
  const mine = (values: readonly string[] | undefined): string | undefined => {
    const named = values?.find((value) => value.startsWith(`${vendor}=`))
    if (named !== undefined) return named.slice(vendor.length + 1)
    const bare = values?.find((value) => !VENDORS.some((other) => value.startsWith(`${other}=`)))
    if (bare !== undefined && vendorCount > 1)
      throw usage('With several vendors, say which a secret is for: --secret-env stripe=NAME.')
    return bare
  }
  if (options.secretStdin === true && vendorCount > 1)
    throw usage('--secret-stdin serves one vendor; with several use --secret-env or --secret-file.')
  const secretEnv = mine(options.secretEnv)
  const secretFile = mine(options.secretFile)
  return {
    ...(options.secretStdin === true ? { secretStdin: true } : {}),
    ...(secretEnv === undefined ? {} : { secretEnv }),
    ...(secretFile === undefined ? {} : { secretFile }),
    ...(options.accountSid === undefined ? {} : { accountSid: options.accountSid }),
    ...(options.apiKeySid === undefined ? {} : { apiKeySid: options.apiKeySid }),
  }
}

/** `stripe`, or the first free `stripe-2` beside what is stored. */
function nameFor(vendor: VendorName, stored: readonly CredentialReply[]): string {
  const taken = new Set(stored.map(({ name }) => name))
  let name: string = vendor
  for (let i = 2; taken.has(name); i += 1) name = `${vendor}-${i}`
  return name
}

async function answered(context: Context, question: string, flag: string): Promise<string> {
  if (context.io.ask === null)
    throw new CliFault(Exit.usage, `There is no terminal to ask at: give ${flag}.`, { code: 'usage' })
  return (await context.io.ask(question, false)).trim()
}

const agentOrigin = (context: Context): string => agentUrl(context).origin
