import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { agentUrl } from '../agent-url.js'
import { preloadFile } from '../child-env.js'
import type { Api } from '../client.js'
import { unifiedDiff } from '../clients/diff.js'
import type { Entry } from '../clients/entry.js'
import { backupOf, replaceFile, restoreFile, textOf, understood } from '../clients/files.js'
import { connectedPreload, governed, NO_GRANT, type Grant, type Mode, type Route } from '../clients/governed.js'
import { filesOf, type Client, type Surroundings } from '../clients/index.js'
import { proved, type Governed, type Proof } from '../clients/proof.js'
import { isVaultKey, keyless } from '../clients/shapes.js'
import { clientNamed, surroundingsOf } from '../clients/surroundings.js'
import { realKeysIn, vendorOf, vendorServed } from '../clients/vendor-servers.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound, usage } from '../exit.js'
import { keyId, onlyKey } from '../find.js'
import { instant, safe, type Tone } from '../output.js'
import type { CredentialReply, KeyReply, NewKeyReply } from '../replies.js'
import { vendorNamed, VENDORS, type VendorName } from '../secrets.js'

interface ConnectOptions {
  readonly key?: string
  readonly vendor?: string
  readonly file?: string
  readonly mode?: Mode
  readonly write?: boolean
  readonly undo?: boolean
}

/**
 * Turns the vendors' MCP servers in a client's configuration into governed ones, under a key of the client's own, and
 * proves that they are. Without --write it only shows what would change.
 */
export async function connect(context: Context, options: ConnectOptions, id: string): Promise<number> {
  const client = clientNamed(id)
  const at = surroundingsOf(context)
  if (options.undo === true) return undo(context, client, at, options)
  const mode = options.mode ?? (client.http ? 'url' : 'npx')
  if (mode === 'url' && !client.http)
    throw usage(`The file of ${client.title} names programs, no addresses: use --mode npx or --mode run.`)

  const agent = agentUrl(context)
  const file = options.file === undefined ? usualFile(client, at, agent) : resolve(at.cwd, options.file)
  const before = textOf(file)
  const api = await context.api()
  const parent = await api.get<KeyReply>(
    `/keys/${encodeURIComponent(options.key === undefined ? await onlyKey(api) : await keyId(api, options.key))}`,
  )
  const vendors = await vendorsFor(api, parent, options.vendor)
  if (mode === 'run' && at.platform === 'win32' && vendors.includes('twilio'))
    throw usage("Twilio's server takes its key as an argument, which --mode run cannot fill in on Windows: --mode npx.")
  const steps = understood(file, () => planned(client, at, agent, before ?? '', vendors))
  const route: Route = { at, mode, agent, grant: NO_GRANT, parent: parent.id, operatorEnv: operatorEnv(context) }
  const textUnder = (grant: Grant): string =>
    understood(file, () =>
      steps.reduce(
        (text, { vendor, entry, list, name }) =>
          client.format.put(text, list, name, governed(vendor, entry, { ...route, grant }), client.spelling),
        before ?? '',
      ),
    )
  const wished = textUnder(NO_GRANT)
  const diff = unifiedDiff(file, before ?? '', wished, {
    before: understood(file, () => client.format.shown(before ?? '')),
    after: client.format.shown(wished),
  })
  // Keys aside, it is what we would write: what is left to find out is whether it works.
  const standing = before !== null && keyless(before) === keyless(wished)
  const plan: Plan = { client, file, named: options.file !== undefined, mode, steps, diff: standing ? '' : diff }
  tellLeftAlone(context, client, at, agent, before ?? '', vendors)

  if (options.write === true && mode === 'npx') installPreload(at)
  if (standing && (options.write !== true || options.key === undefined)) {
    const proofs = await proved(context, api, placesIn(plan, at, before), parent.id)
    if (options.write !== true || proofs.every(({ ok }) => ok)) return told(context, plan, { proofs })
    context.say('What stands there does not work: it gets a new key.')
  }
  if (options.write !== true) return told(context, plan, {})

  const made = mode === 'run' ? null : await keyFor(api, client, parent)
  const text = textUnder(made ?? NO_GRANT)
  try {
    replaceFile(file, before, text, before !== null && isGoverned(client, at, agent, before))
  } catch (error) {
    if (made !== null)
      await api.post(`/keys/${encodeURIComponent(made.id)}/revoke`, { reason: 'its file was not written' })
    throw error
  }
  const proofs = await proved(context, api, placesIn(plan, at, text), parent.id)
  return told(context, plan, { proofs, made, replaced: await keysIn(api, before ?? ''), backup: backupOf(file) })
}

/** The governed entries as they stand in a text. */
function placesIn({ client, steps }: Plan, at: Surroundings, text: string): readonly Governed[] {
  const entries = client.format.entries(text, client.lists(at))
  const place = ({ list, name }: Pick<Entry, 'list' | 'name'>): string => [...list, name].join('\n')
  return steps.map((step) => ({ vendor: step.vendor, entry: entries.find((entry) => place(entry) === place(step))! }))
}

/** Ids of the living keys that stand in a text. */
async function keysIn(api: Api, text: string): Promise<readonly string[]> {
  const keys = text.match(/vault_(?:live|test)_[A-Za-z0-9]+/g) ?? []
  if (keys.length === 0) return []
  const { rows } = await api.pages<KeyReply>('/keys', 'keys', KEYS_MAX)
  const held = ({ status, last4 }: KeyReply): boolean =>
    status === 'active' && last4 !== undefined && keys.some((key) => key.endsWith(last4))
  return rows.filter(held).map(({ id }) => id)
}

/** The file that names a vendor's server, a project's before the user's; else the user's. */
function usualFile(client: Client, at: Surroundings, agent: URL): string {
  const files = filesOf(client, at)
  const named = files.find((file) => {
    const text = textOf(file)
    if (text === null) return false
    const entries = understood(file, () => client.format.entries(text, client.lists(at)))
    return entries.some((entry) => vendorOf(entry, agent) !== null)
  })
  return named ?? client.file(at)
}

/** The vendors asked for, which the key must serve; without any, all it serves. */
async function vendorsFor(api: Api, parent: KeyReply, asked: string | undefined): Promise<readonly VendorName[]> {
  const credentials = await api.all<CredentialReply>('/credentials', 'credentials')
  const own = new Set(credentials.filter(({ id }) => parent.credentials?.includes(id)).map(({ vendor }) => vendor))
  const served = VENDORS.filter((vendor) => own.has(vendor))
  if (asked === undefined) {
    if (served.length === 0) throw notFound(`The key ${parent.id} serves none of ${VENDORS.join(', ')}.`)
    return served
  }
  const named = [...new Set(asked.split(',').map((word) => vendorNamed(word.trim())))]
  const missing = named.filter((vendor) => !served.includes(vendor))
  if (missing.length > 0)
    throw usage(`The key ${safe(parent.name)} has no credential for ${missing.join(' and ')}: name another with --key.`)
  return named
}

/** An entry to be changed, or to be made. */
interface Step {
  readonly vendor: VendorName
  readonly entry: Entry | null
  readonly list: readonly string[]
  readonly name: string
  readonly realKeys: readonly string[]
}
interface Plan {
  readonly client: Client
  readonly file: string
  /** Whether it was given by --file. */
  readonly named: boolean
  readonly mode: Mode
  readonly steps: readonly Step[]
  readonly diff: string
}

function planned(client: Client, at: Surroundings, agent: URL, text: string, vendors: readonly VendorName[]): Step[] {
  const lists = client.lists(at)
  const entries = client.format.entries(text, lists)
  return vendors.flatMap((vendor): Step[] => {
    const own = entries.filter((entry) => serves(entry, vendor, agent))
    if (own.length > 0)
      return own.map((entry) => ({ vendor, entry, list: entry.list, name: entry.name, realKeys: realKeysIn(entry) }))
    const taken = entries.some(({ name }) => name === vendor)
    return [{ vendor, entry: null, list: lists[0]!, name: taken ? `spendgate-${vendor}` : vendor, realKeys: [] }]
  })
}

const serves = (entry: Entry, vendor: VendorName, agent: URL): boolean => vendorOf(entry, agent) === vendor

/** Whether spendgate has been at this file before, so that its backup is the older text. */
function isGoverned(client: Client, at: Surroundings, agent: URL, text: string): boolean {
  return client.format.entries(text, client.lists(at)).some((entry) => {
    if (vendorOf(entry, agent) === null) return false
    const words = [...Object.values(entry.headers), ...Object.values(entry.env), ...entry.args]
    return words.some(isVaultKey) || entry.command === 'spendgate'
  })
}

/** What has to do with a vendor and stays as it was, the operator should hear of. */
function tellLeftAlone(
  context: Context,
  client: Client,
  at: Surroundings,
  agent: URL,
  text: string,
  vendors: readonly VendorName[],
): void {
  for (const entry of client.format.entries(text, client.lists(at))) {
    const vendor = vendorServed(entry, agent)
    if (vendor === null || (vendors.includes(vendor) && vendorOf(entry, agent) !== null)) continue
    const why = vendors.includes(vendor)
      ? `is no server of ${vendor}'s own that spendgate knows`
      : `is for ${vendor}, which this key does not serve or --vendor leaves out`
    const real = realKeysIn(entry).length > 0 ? ' It holds a real key and goes past spendgate.' : ''
    context.say(`Left as it is: "${entry.name}" ${why}.${real}`)
  }
}

/** What a launcher under the client needs to find the operator's server. The admin token is not among it: it stays in its file. */
function operatorEnv({ io, url, dataDirFlag }: Context): Readonly<Record<string, string>> {
  const names = [
    'SPENDGATE_URL',
    'SPENDGATE_HOST',
    'SPENDGATE_PORT',
    'SPENDGATE_ADMIN_HOST',
    'SPENDGATE_ADMIN_PORT',
    'SPENDGATE_DATA_DIR',
  ]
  const given = names.flatMap((name) => (io.env[name] === undefined ? [] : [[name, io.env[name]] as const]))
  return {
    ...Object.fromEntries(given),
    ...(url === undefined ? {} : { SPENDGATE_URL: url }),
    ...(dataDirFlag === undefined ? {} : { SPENDGATE_DATA_DIR: resolve(io.cwd, dataDirFlag) }),
  }
}

/** A child key bound to a run of the client's name, so that the client can be revoked by itself. */
async function keyFor(api: Api, client: Client, parent: KeyReply): Promise<NewKeyReply> {
  const { rows } = await api.pages<KeyReply>('/keys', 'keys', KEYS_MAX)
  const taken = new Set(rows.map(({ run }) => run))
  let run: string = client.id
  for (let i = 2; taken.has(run); i += 1) run = `${client.id}-${i}`
  // The children of a key that is bound to a run belong to that run.
  const bound = (parent.run ?? null) !== null
  return api.post<NewKeyReply>(`/keys/${encodeURIComponent(parent.id)}/runs`, bound ? {} : { run })
}
const KEYS_MAX = 5_000

function installPreload(at: Surroundings): void {
  const built = preloadFile()
  if (!existsSync(built))
    throw new CliFault(Exit.failure, 'The preload is not built. Run: npm run build', { code: 'not_built' })
  const installed = connectedPreload(at)
  mkdirSync(dirname(installed), { recursive: true })
  // A name of its own first: servers that start meanwhile must not read half a file.
  copyFileSync(built, `${installed}.new`)
  chmodSync(`${installed}.new`, 0o644)
  renameSync(`${installed}.new`, installed)
}

interface Done {
  readonly proofs?: readonly Proof[]
  readonly made?: NewKeyReply | null
  /** Ids of the keys that stood in the file before. */
  readonly replaced?: readonly string[]
  readonly backup?: string
}

function told(context: Context, plan: Plan, { proofs = [], made = null, replaced = [], backup }: Done): number {
  const { client, file, mode, steps, diff } = plan
  const ok = proofs.every((proof) => proof.ok)
  const again = `spendgate connect ${client.id}${plan.named ? ` --file ${file}` : ''}`
  const written = backup !== undefined
  if (context.json) {
    context.reply({
      client: client.id,
      file,
      mode,
      written,
      backup: backup ?? null,
      diff,
      servers: steps.map(({ vendor, name, entry, realKeys }) => ({
        name,
        vendor,
        added: entry === null,
        real_key_in: realKeys,
      })),
      key: made === null ? null : { id: made.id, run: made.run ?? null, expires_at: made.expires_at },
      proofs,
    })
    return ok ? Exit.ok : Exit.failure
  }
  context.show(diffShown(context, diff))
  if (written) context.say(`Wrote ${file}. What was there is in ${backup}.`)
  else if (proofs.length === 0) context.say(`Nothing was written. Do it with:  ${again} --write`)
  else if (ok) context.say(`${file} is connected already; nothing is to be changed.`)
  else context.say(`${file} is as it should be but for its key. Give it another:  ${again} --write`)
  if (made !== null) {
    const end = made.expires_at === null ? 'with its parent' : `at ${instant(made.expires_at)} UTC`
    context.say(
      `${client.title} has the key ${made.id}${made.run ? `, run ${made.run}` : ''}; it ends ${end}. By hand:  spendgate key revoke ${made.id}`,
    )
  }
  for (const key of replaced)
    context.say(`The key ${key}, which stood there before, still lives. End it:  spendgate key revoke ${key}`)
  for (const { name, realKeys, vendor } of steps)
    if (realKeys.length > 0)
      context.say(
        `"${name}" ${written ? 'held' : 'holds'} a real ${vendor} key (${realKeys.join(', ')}).${written ? ' It is out of the file, but still in the backup.' : ''} Roll it at ${vendor}: a program has had it in clear.`,
      )
  if (
    written &&
    client.projectFile !== null &&
    file.endsWith(client.projectFile) &&
    file !== client.file(surroundingsOf(context))
  )
    context.say(
      'This is a file of the project: keep it and its backup out of version control, because a vault key stands in it.',
    )
  const { protocol, hostname } = agentUrl(context)
  if (protocol === 'http:' && !LOOPBACK.test(hostname))
    context.say(`The agent port is at ${hostname} over plain http: a vault key would travel there in the clear.`)
  for (const { name, ok: works, message } of proofs)
    context.show(`${context.style.paint(works ? 'good' : 'bad', works ? '✔' : '✘')} ${safe(name)}  ${safe(message)}\n`)
  if (written) context.say(`${ok ? `Restart ${client.title}. ` : ''}Undo with:  ${again} --undo`)
  return ok ? Exit.ok : Exit.failure
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Tabs and the line breaks of Windows belong to the file, and do nothing to a terminal. */
function diffShown(context: Context, diff: string): string {
  const tone = (line: string): Tone => (line.startsWith('+') ? 'good' : line.startsWith('-') ? 'bad' : 'plain')
  return diff
    .split(/\r?\n/)
    .map((line) => context.style.paint(line === '' ? 'plain' : tone(line), line.split('\t').map(safe).join('\t')))
    .join('\n')
}

function undo(context: Context, client: Client, at: Surroundings, { file }: ConnectOptions): number {
  const files = (file === undefined ? filesOf(client, at) : [resolve(at.cwd, file)]).filter((each) =>
    existsSync(backupOf(each)),
  )
  if (files.length === 0)
    throw notFound(`There is nothing to undo: no file of ${client.title} has a backup by spendgate.`)
  const restored = files.map((each) => ({ file: each, ...restoreFile(each) }))
  if (context.json) context.reply({ client: client.id, restored })
  else
    for (const each of restored) {
      context.show(
        each.removed ? `Removed ${each.file}; there was none before.\n` : `Put back ${each.file} as it was.\n`,
      )
      if (each.aside !== null) context.say(`It had been changed since; that text is in ${each.aside}.`)
    }
  context.say(`The key it had lives on. Find it by the run ${client.id}, and end it:  spendgate key list`)
  return Exit.ok
}
