/*
 * What keys look like inside other people's configuration files: to know a real one, to shorten what is shown, and to
 * put a worthless one in its place.
 */

/** Real vendor keys that can be told by their looks alone. */
const REAL =
  /(?<![A-Za-z0-9])(?:(?:sk|rk)_(?:live|test|org)_[A-Za-z0-9_]{6,}|re_(?!vault_)[A-Za-z0-9]+_?[A-Za-z0-9]{8,})/g
const VAULT = /((?:rk_|sk_|re_)?vault_(?:live|test)_)[A-Za-z0-9]+(\.[A-Za-z0-9_-]+)?/g
/** `AC…/SK…:secret`, the one argument of Twilio's server. */
export const TWILIO_WORD = /^([^\s/:]+)\/([^\s/:]+):(\S+)$/
/** `${STRIPE_KEY}`, `${input:key}`, `<your key>`, `YOUR_KEY`: to be filled in by the client or never was. */
const PLACEHOLDER = /^\$|^<.*>$|YOUR[_-]|^x+$/i

export const isVaultKey = (text: string): boolean => text.search(VAULT) >= 0
export const holdsRealKey = (text: string): boolean => text.search(REAL) >= 0
export const isPlaceholder = (text: string): boolean => text === '' || PLACEHOLDER.test(text)

/** The vault key itself, without skin and run; null when there is none. */
export const vaultKeyIn = (text: string): string | null => /vault_(?:live|test)_[A-Za-z0-9]+/.exec(text)?.[0] ?? null

const SECRET_NAME = /key|token|secret|passw|auth|cred|cookie|session/i
/** Variables whose values everybody may see, whatever they hold. */
const PLAIN_NAME = /^(?:NODE_OPTIONS|npm_config_node_options|PATH|HOME|[A-Z_]*_(?:BASE|URL|HOST|PORT|DIR))$/
/** Long, with letters and digits mixed: nothing that people read, so it may be a secret. */
const RANDOM = /(?=[A-Za-z0-9_+=-]*[0-9])(?=[A-Za-z0-9_+=-]*[A-Za-z])[A-Za-z0-9_+=-]{24,}/g

/** Ids of spendgate's own; they open nothing. */
const ID = /^(?:key|run|cred|call)_/

/** Where a text stands in a configuration file. */
export interface Place {
  /** Name of the member, variable or header that holds it. */
  readonly name: string
  /** Under `env` or `headers`, where everything may be a secret. */
  readonly guarded: boolean
}

/** The text as it may be shown: keys as their beginning and an ellipsis. */
export function shortened(text: string, place: Place = { name: '', guarded: false }): string {
  const known = text
    .replace(VAULT, '$1…')
    .replace(REAL, (key) => `${/^(?:(?:sk|rk)_[a-z]+_|re_)/.exec(key)![0]}…`)
    .replace(
      /(?<![A-Za-z0-9])(AC|SK)[0-9a-fA-F]{32}(?:\/|:|(?=$))/g,
      (word, kind: string) => `${kind}…${word.slice(34)}`,
    )
    .replace(/(\/\/[^/\s:@]+:)[^@\s/]+@/g, '$1…@')
  const twilio = TWILIO_WORD.exec(known)
  if (twilio && /^(?:AC|YOUR)/i.test(known) && !known.includes('vault_')) return `${twilio[1]}/${twilio[2]}:…`
  if (PLAIN_NAME.test(place.name)) return known
  // A key that was recognised is shortened already, and says more than an ellipsis.
  const ours = known.includes('…')
  if ((place.guarded || SECRET_NAME.test(place.name)) && !ours && !isPlaceholder(text)) return '…'
  return known.replace(RANDOM, (word) => (ID.test(word) ? word : '…'))
}

const WORTHLESS = 'SpendgateDoctor0Sentinel'
/** A vault key that no server ever issued. */
export const SENTINEL = `vault_live_${WORTHLESS.repeat(2)}`

/**
 * The text with worthless keys of the same shape in place of all it holds: what a vendor's server is tried out with.
 *
 * @param secret whether the whole of it is a key by the name it stands under, whatever it looks like
 */
export function disarmed(text: string, secret = false): string {
  const known = text.replace(VAULT, `$1${WORTHLESS.repeat(2)}$2`).replace(REAL, worthless)
  if (known !== text) return known
  const twilio = TWILIO_WORD.exec(text)
  if (twilio && /^AC/i.test(text)) return `${twilio[1]}/${twilio[2]}:${WORTHLESS}`
  return secret && text !== '' ? worthless(text) : text
}

function worthless(key: string): string {
  const [beginning = 'rk_live_'] = /^(?:(?:sk|rk)_[a-z]+_|re_)/.exec(key) ?? []
  if (/^(?:AC|SK)[0-9a-fA-F]{32}$/.test(key)) return key
  if (/^[0-9a-f]{32}$/.test(key)) return '0'.repeat(32)
  return `${beginning}${WORTHLESS}`
}

/** Two texts that differ in their keys alone become one. */
export const keyless = (text: string): string =>
  text
    .replace(VAULT, 'vault_…')
    .replace(/vault_(?:live|test)_…/g, 'vault_…')
    .replace(/(?:rk_|sk_|re_)(?=vault_…)/g, '')
    .replace(/\b(AC|SK)(?:[0-9a-fA-F]{32}|…)/g, '$1…')
