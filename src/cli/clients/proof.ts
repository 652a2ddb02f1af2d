import type { Api } from '../client.js'
import type { Context } from '../context.js'
import { handedOn, probeAddress, ProbeFault, probeProgram } from '../mcp-probe.js'
import type { CallReply, KeyReply } from '../replies.js'
import type { VendorName } from '../secrets.js'
import type { Entry } from './entry.js'
import { shortened, vaultKeyIn } from './shapes.js'
import { surroundingsOf } from './surroundings.js'
import { harmlessOf } from './vendor-servers.js'

/** An entry that is to lead to spendgate. */
export interface Governed {
  readonly vendor: VendorName
  readonly entry: Entry
}

/** Whether it does, tried out as the client will use it. */
export interface Proof {
  readonly name: string
  readonly vendor: VendorName
  readonly ok: boolean
  readonly tools: number
  readonly message: string
}

/** Reaches every governed server as the client will. One after the other: each may start programs. */
export async function proved(
  context: Context,
  api: Api,
  places: readonly Governed[],
  parent: string,
): Promise<readonly Proof[]> {
  const proofs: Proof[] = []
  for (const { vendor, entry } of places) {
    const { name } = entry
    try {
      proofs.push({ name, vendor, ...(await proofOf(context, api, vendor, entry, parent)) })
    } catch (error) {
      if (!(error instanceof ProbeFault)) throw error
      const talk = error.talk.trim() === '' ? '' : ` It said: ${shortened(error.talk.trim().replace(/\s+/g, ' '))}`
      const message = `${shortened(error.message)}. ${remedy(error, entry)}${talk}`
      proofs.push({ name, vendor, ok: false, tools: 0, message })
    }
  }
  return proofs
}

async function proofOf(
  context: Context,
  api: Api,
  vendor: VendorName,
  entry: Entry,
  parent: string,
): Promise<Pick<Proof, 'ok' | 'tools' | 'message'>> {
  if (entry.url !== null) {
    const { tools, server } = await probeAddress(entry.url, entry.headers)
    const ok = server.startsWith('spendgate')
    return {
      ok,
      tools: tools.length,
      message: ok
        ? `${tools.length} tools at ${entry.url}, answered by spendgate`
        : `${entry.url} is answered by «${server}», which is not spendgate. Set SPENDGATE_PORT to its agent port.`,
    }
  }
  const since = await latestCalls(api, entry, parent)
  const { tools, called } = await probeProgram(programOf(context, entry), harmlessOf(vendor))
  const now = await latestCalls(api, entry, parent)
  const seen = [...now].some(([key, call]) => since.get(key) !== call)
  const what = `${tools.length} tools from ${[entry.command ?? '', ...entry.args]
    .slice(0, 3)
    .map((word) => shortened(word))
    .join(' ')}`
  if (called === null)
    return {
      ok: false,
      tools: tools.length,
      message: `${what}, but none of them is known to be harmless to try. Call one from the client and look at: spendgate calls`,
    }
  return {
    ok: seen,
    tools: tools.length,
    message: seen
      ? `${what}; its call of ${called.tool} came through spendgate`
      : `${what}, but its call of ${called.tool} did not come through spendgate. Use --mode url or --mode run, and see: spendgate doctor`,
  }
}

const programOf = (context: Context, { command, args, env, cwd }: Entry) => ({
  command: command!,
  args,
  env: { ...handedOn(context.io.env), ...env },
  cwd: cwd ?? surroundingsOf(context).home,
})

/** The latest call under each key an entry may use: its own, or those a launcher last made under the parent. */
async function latestCalls(api: Api, entry: Entry, parent: string): Promise<ReadonlyMap<string, string>> {
  const key = [...Object.values(entry.env), ...entry.args].map(vaultKeyIn).find((found) => found !== null) ?? null
  const { rows } = await api.pages<KeyReply>('/keys', 'keys', KEYS_MAX)
  const own = rows
    .filter((row) => (key === null ? row.parent_id === parent : row.last4 !== undefined && key.endsWith(row.last4)))
    .sort((a, b) => (b.created_at ?? '').localeCompare(a.created_at ?? ''))
    .slice(0, LAUNCHED_MAX)
  const latest = new Map<string, string>()
  for (const { id } of own) {
    const { calls } = await api.get<{ calls: readonly CallReply[] }>('/calls', { key: id, limit: '1' })
    if (calls[0] !== undefined) latest.set(id, calls[0].id)
  }
  return latest
}
const KEYS_MAX = 5_000
const LAUNCHED_MAX = 5

function remedy({ kind, message }: ProbeFault, entry: Entry): string {
  if (kind === 'unreachable') return 'Start spendgate with "spendgate serve", or set SPENDGATE_PORT to its agent port.'
  if (kind === 'time') return 'If npx had to fetch the server, try again; else see: spendgate doctor'
  if (kind === 'start')
    return entry.command === 'spendgate'
      ? 'Put the command on the PATH that the client has: npm install -g spendgate'
      : 'Put it on the PATH that the client has, or use --mode url.'
  if (/^key_/.test(message)) return 'Look at the key: spendgate key list'
  return 'See: spendgate doctor'
}
