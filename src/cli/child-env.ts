import { delimiter, join } from 'node:path'
import { packageRoot } from '../package-root.js'
import type { NewKeyReply } from './replies.js'

/** The file that `node --require` loads, and the folder Python finds its sitecustomize in. */
export const preloadFile = (): string => join(packageRoot(), 'dist', 'src', 'preload', 'preload.cjs')
const pythonFolder = (): string => join(packageRoot(), 'src', 'preload', 'python')

/** Variables in which real credentials of the three vendors usually stand. A governed program gets none of them. */
const REAL_KEYS = [
  'STRIPE_API_KEY',
  'STRIPE_SECRET_KEY',
  'TWILIO_ACCOUNT_SID',
  'TWILIO_AUTH_TOKEN',
  'TWILIO_API_KEY',
  'TWILIO_API_SECRET',
  'RESEND_API_KEY',
] as const

/** The same under any other name: known by its form, or, as Twilio's have none, by what the name says. */
const isRealKey = (name: string, value = ''): boolean =>
  /^(?:sk|rk)_(?:live|test|org)_[A-Za-z0-9]/.test(value) ||
  /^re_(?!vault_)[A-Za-z0-9]{4,}_[A-Za-z0-9]{8,}$/.test(value) ||
  /^TWILIO_.*(?:TOKEN|SECRET|API_KEY)/i.test(name)

/**
 * The environment of a governed program: the caller's without anything of spendgate's own (its secrets, its database)
 * and without real vendor keys, with the vault key in every form clients read, and with the preloads in front.
 *
 * @param agent where agents call, `http://127.0.0.1:4242`
 */
export function childEnv(
  env: Readonly<NodeJS.ProcessEnv>,
  made: Pick<NewKeyReply, 'key' | 'presentations'>,
  agent: string,
  marker: string,
): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name, value]) =>
      !/^SPENDGATE_/i.test(name) &&
      name !== 'DATABASE_URL' &&
      !REAL_KEYS.includes(name as never) &&
      !isRealKey(name, value),
  )
  const child: NodeJS.ProcessEnv = Object.fromEntries(kept)
  const { stripe, twilio, resend } = made.presentations
  // A vendor the key does not serve gets its base all the same: its calls are then refused in words, not sent past us.
  Object.assign(child, {
    STRIPE_API_BASE: `${agent}/stripe`,
    TWILIO_API_BASE: `${agent}/twilio`,
    RESEND_BASE_URL: `${agent}/resend`,
    RESEND_API_URL: `${agent}/resend`,
  })
  if (stripe?.[0] !== undefined) child.STRIPE_API_KEY = child.STRIPE_SECRET_KEY = stripe[0]
  if (twilio) {
    child.TWILIO_ACCOUNT_SID = twilio.account_sid
    child.TWILIO_API_KEY = twilio.api_key_sid
    child.TWILIO_API_SECRET = twilio.api_key_secret
  }
  if (resend !== undefined) child.RESEND_API_KEY = resend
  child[MARKER] = marker

  const preload = `--require ${JSON.stringify(preloadFile())}`
  child.NODE_OPTIONS = joined(' ', env.NODE_OPTIONS, preload)
  // npm puts its own node-options in the place of NODE_OPTIONS for what npx starts; the environment wins over .npmrc.
  child.npm_config_node_options = joined(' ', env.npm_config_node_options ?? env.NODE_OPTIONS, preload)
  child.PYTHONPATH = joined(delimiter, pythonFolder(), env.PYTHONPATH)
  return child
}

/** Names the run in every process that descends from the program, so that orphans can be found. No secret. */
export const MARKER = 'SPENDGATE_RUN_MARKER'

const joined = (separator: string, ...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join(separator)
