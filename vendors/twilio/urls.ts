import type { Params } from '../../src/contracts/vendor.js'

// One spelling only: printable ASCII, no backslash, one host between «//» (or «@») and the path. Twilio takes
// user:password@ for webhooks behind Basic authentication; RFC 3986 userinfo characters leave one reading of it.
const USER = String.raw`[A-Za-z0-9._~!$&'()*+,;=%-]+`
const HOST = String.raw`[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?`
const URL_TEXT = new RegExp(
  String.raw`^https?:\/\/(?:${USER}(?::(?:${USER})?)?@)?(${HOST})(?::[0-9]{1,5})?(?:[/?#][\x21-\x5b\x5d-\x7e]*)?$`,
)
const URL_CHARS_MAX = 4000

/** Whether every parser would find the same host in an absolute http(s) URL. */
export function isPlainUrl(text: string): boolean {
  if (text.length > URL_CHARS_MAX) return false
  const host = URL_TEXT.exec(text)?.[1]
  if (host === undefined || !URL.canParse(text)) return false
  // The standard parser turns 127.1 or 0x7f000001 into another spelling: not what is written, so not plain.
  return new URL(text).hostname === host.toLowerCase()
}

/** Every URL under the given names, or the first value that is not a plain one. Empty values count as absent. */
export function urlsAmong(
  params: Params,
  names: readonly string[],
): { readonly urls: readonly string[] } | { readonly fault: string } {
  const urls = names.flatMap((name) => params.all(name)).filter((value) => value !== '')
  const fault = urls.find((value) => !isPlainUrl(value))
  return fault === undefined
    ? { urls }
    : { fault: `«${fault.slice(0, 100)}» is not a plain absolute http or https URL.` }
}
