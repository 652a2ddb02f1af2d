import { perVendor, refused, shown, titled } from './rule.js'

/** Hosts that any URL among the parameters may point at; none by default. */
export const urls = perVendor('urls', (call, block, policy) => {
  const named = call.subjects.urls
  if (named === undefined) return null
  if (named === null)
    return refused(
      'url_not_allowed',
      `A URL of this call could not be read, and policy ${titled(policy)} allows only listed hosts ` +
        `(vendors.${call.vendor}.callback_hosts).`,
      policy,
    )
  for (const url of named) {
    const host = hostOf(url)
    if (host !== null && block.callbackHosts.has(host)) continue
    return refused(
      'url_not_allowed',
      host === null
        ? `"${shown(url)}" is not a plain absolute URL of http, https, ws or wss, so its host is not certain.`
        : `${shown(host)} is not a host that policy ${titled(policy)} lists (vendors.${call.vendor}.callback_hosts).`,
      policy,
    )
  }
  return null
})

const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ':80', ws: ':80', https: ':443', wss: ':443' }
const PLAIN = /^(https?|wss?):\/\/([a-z0-9.-]+)(:[0-9]{1,5})?(?:[/?#][\x21-\x5b\x5d-\x7e]*)?$/i

/**
 * Host of a URL that every parser reads alike, with its port unless that is the scheme's own. Null for user names,
 * backslashes, escapes in the host, raw spaces and anything beyond ASCII: parsers differ on where the host ends there.
 */
function hostOf(url: string): string | null {
  const parts = PLAIN.exec(url)
  if (!parts) return null
  const port = parts[3] ?? ''
  return parts[2]!.toLowerCase() + (port === DEFAULT_PORT[parts[1]!.toLowerCase()] ? '' : port)
}
