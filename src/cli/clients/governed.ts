import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadOption, optionsIn } from '../npmrc.js'
import type { NewKeyReply } from '../replies.js'
import type { VendorName } from '../secrets.js'
import type { Entry, Wanted } from './entry.js'
import type { Surroundings } from './index.js'
import { commandLine, keptEnv, SERVERS } from './vendor-servers.js'

/** Ways a governed server is reached: an address, a program with the preload in it, a program under `spendgate run`. */
export type Mode = 'url' | 'npx' | 'run'

export type Grant = Pick<NewKeyReply, 'key' | 'presentations'>

/** Stands for a key that is not made yet. */
export const NO_GRANT: Grant = {
  key: 'vault_live_…',
  presentations: {
    stripe: ['rk_vault_live_…'],
    twilio: { account_sid: 'AC…', api_key_sid: 'SK…', api_key_secret: 'vault_live_…' },
    resend: 're_vault_live_…',
  },
}

/** Where an entry is to lead, and with what. */
export interface Route {
  readonly at: Surroundings
  readonly mode: Mode
  /** Where agents call. */
  readonly agent: URL
  readonly grant: Grant
  /** Id of the key that runs are started under. */
  readonly parent: string
  /** Where the operator's server is, as far as that is not the usual place; no secret. */
  readonly operatorEnv: Readonly<Record<string, string>>
}

/** What an entry for a vendor's server becomes; `entry` is the one there is, or null. */
export function governed(vendor: VendorName, entry: Entry | null, route: Route): Wanted {
  const { mode, agent, grant } = route
  if (mode === 'url')
    return {
      kind: 'url',
      url: `${agent.origin}/mcp/${vendor}`,
      headers: { Authorization: `Bearer ${grant.key}` },
    }
  const { command, args } = commandLine(vendor, entry)
  const server = SERVERS[vendor]
  const kept = keptEnv(vendor, entry)
  if (mode === 'run') {
    const line =
      vendor === 'twilio'
        ? ['sh', '-c', `exec ${[command, ...args].join(' ')} "${TWILIO_IN_SHELL}"`]
        : [command, ...args]
    return {
      kind: 'stdio',
      command: 'spendgate',
      args: ['run', '--key', route.parent, '--', ...line],
      env: { ...kept, ...route.operatorEnv },
    }
  }
  return {
    kind: 'stdio',
    command,
    args: [...args, ...server.args(grant.presentations)],
    env: {
      ...kept,
      ...server.env(grant.presentations),
      [server.base]: `${agent.origin}/${vendor}`,
      ...preloadEnv(route.at, entry),
    },
  }
}

/** Twilio's server takes its key as an argument only, and the launcher makes the key when it starts. */
const TWILIO_IN_SHELL = '$TWILIO_ACCOUNT_SID/$TWILIO_API_KEY:$TWILIO_API_SECRET'

/**
 * The copy that configuration files name. It is not the one of `spendgate setup`: undoing that must not end the clients,
 * and a Node that does not find it ends at once.
 */
export const connectedPreload = ({ home, env }: Surroundings): string =>
  join(env.XDG_DATA_HOME ?? join(home, '.local', 'share'), 'spendgate', 'connect', 'preload.cjs')

/** NODE_OPTIONS with the preload beside what was there; npm's own setting too, where that would take its place. */
function preloadEnv(at: Surroundings, entry: Entry | null): Readonly<Record<string, string>> {
  const option = loadOption(connectedPreload(at), at.platform)
  const beside = (others: string | null | undefined): string => {
    const kept = (others ?? '').replace(OURS, ' ').trim()
    return kept === '' ? option : `${kept} ${option}`
  }
  const npm = userNodeOptions(at.home)
  const inPlace = npm !== null && npm.search(OURS) < 0
  return {
    NODE_OPTIONS: beside(entry?.env.NODE_OPTIONS),
    ...(inPlace ? { npm_config_node_options: beside(npm) } : {}),
  }
}

const OURS = /(?:^|\s)--(?:require|import)(?:=|\s+)"?\S*spendgate[/\\]\S*preload\.c?js"?(?=\s|$)/g

/** `node-options` of the user's npm settings, which npm puts in the place of NODE_OPTIONS; null without. */
export function userNodeOptions(home: string): string | null {
  try {
    return optionsIn(readFileSync(join(home, '.npmrc'), 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR') return null
    throw error
  }
}
