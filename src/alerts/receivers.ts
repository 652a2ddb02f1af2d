import { createHmac } from 'node:crypto'
import { Secret } from '../custody/secret.js'
import type { UpstreamRequest } from '../wire/upstream.js'
import type { Alert } from './alert.js'

/** Who is told, and how. */
export interface Receiver {
  /** May hold a secret in path and query, as Slack's do. */
  readonly url: Secret
  /** Its host, for the log. */
  readonly host: string
  readonly shape: 'standard' | 'slack'
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
const RECEIVERS_MAX = 10
const TEXT_CHARS_MAX = 3_000

/**
 * Reads SPENDGATE_ALERT_URLS: separated by commas. `format=slack` in a query asks for Slack's shape, which hooks.slack.com
 * has anyway; `format=standard` for the other.
 *
 * @param faults gets a sentence for each that cannot be used, without the URL itself
 */
export function receiversIn(text: string, faults: string[]): readonly Receiver[] {
  const texts = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  if (texts.length > RECEIVERS_MAX) faults.push(`SPENDGATE_ALERT_URLS may name ${RECEIVERS_MAX} receivers at most.`)
  return texts.flatMap((each, at) => {
    const receiver = receiverOf(each)
    if (typeof receiver !== 'string') return [receiver]
    faults.push(`SPENDGATE_ALERT_URLS: the ${ordinal(at + 1)} ${receiver}`)
    return []
  })
}

function receiverOf(text: string): Receiver | string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'is no http or https URL.'
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname)) return 'may use plain http only to loopback.'
  if (url.username !== '' || url.password !== '') return 'has a user name or password, which are not sent.'
  const format = url.searchParams.get('format')
  if (format !== null && !['slack', 'standard'].includes(format))
    return 'asks for a format that is not slack or standard.'
  // Ours alone: Slack would refuse a query, and a signed URL would no longer be what was signed.
  if (format !== null)
    url.search = url.search.replace(/([?&])format=(?:slack|standard)(?:&|$)/, '$1').replace(/[?&]$/, '')
  const shape = format ?? (url.hostname === 'hooks.slack.com' ? 'slack' : 'standard')
  return { url: new Secret(url.href), host: url.host, shape: shape as Receiver['shape'] }
}

const ordinal = (place: number): string => ['first', 'second', 'third'][place - 1] ?? `${place}th`

/** `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks writes them (specification 1.0.0, «Signature scheme»). */
export function signingKeyIn(text: string): Secret | null {
  const found = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)
  const bytes = found === null ? 0 : Buffer.from(found[1]!, 'base64').length
  return bytes >= 24 && bytes <= 64 ? new Secret(text) : null
}

/**
 * The request that tells a receiver of an alert. In the standard shape it is signed over id, time and exact bytes, so that
 * nobody else can tell it and nobody can tell it again later.
 *
 * @param key null only where no receiver wants the standard shape
 */
export function requestFor(alert: Alert, { url, shape }: Receiver, key: Secret | null, nowMs: number): UpstreamRequest {
  const { origin, host, pathname, search } = new URL(url.reveal())
  const body = shape === 'slack' ? slackBody(alert) : standardBody(alert)
  const headers = ['host', host, 'content-type', 'application/json', 'user-agent', 'spendgate']
  if (shape === 'standard') {
    const seconds = String(Math.floor(nowMs / 1000))
    const signature = signatureOf(alert.id, seconds, body, key!)
    headers.push('webhook-id', alert.id, 'webhook-timestamp', seconds, 'webhook-signature', signature)
  }
  return { origin, method: 'POST', target: pathname + search, headers, body }
}

function signatureOf(id: string, seconds: string, body: string, key: Secret): string {
  const bytes = Buffer.from(key.reveal().slice('whsec_'.length), 'base64')
  return `v1,${createHmac('sha256', bytes).update(`${id}.${seconds}.${body}`).digest('base64')}`
}

const standardBody = ({ kind, at, message, facts }: Alert): string =>
  JSON.stringify({ type: kind, timestamp: new Date(at).toISOString(), data: { message, ...facts } })

/** Slack reads &, < and > as its own, and would make a link or a mention of them (docs.slack.dev, «Formatting», November 2026). */
function slackBody({ kind, message }: Alert): string {
  const plain = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return JSON.stringify({ text: `spendgate ${kind}: ${plain}`.slice(0, TEXT_CHARS_MAX), unfurl_links: false })
}
