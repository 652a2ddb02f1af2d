import { isE164 } from './phone.js'

/** Whom Twilio can reach, or send as, by the form of the text. */
export type Channel = 'phone' | 'short-code' | 'name' | 'whatsapp' | 'messenger' | 'rcs' | 'sip' | 'client'

const SCHEMES: ReadonlyMap<string, Channel> = new Map([
  ['whatsapp', 'whatsapp'],
  ['messenger', 'messenger'],
  ['rcs', 'rcs'],
  ['sip', 'sip'],
  ['sips', 'sip'],
  ['client', 'client'],
])
const REST = /^[A-Za-z0-9._~+@%=;:!-]{1,200}$/
const SHORT_CODE = /^[1-9][0-9]{2,7}$/
/** Alphanumeric sender: up to eleven letters, digits and a few signs, at least one letter. */
const SENDER_NAME = /^(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}$/
const SERVICE = /^MG[0-9a-fA-F]{32}$/

/** The channel of a recipient, null when the text has no known form. */
export function recipientChannel(text: string): Channel | null {
  if (isE164(text)) return 'phone'
  const colon = text.indexOf(':')
  const channel = colon > 0 ? SCHEMES.get(text.slice(0, colon)) : undefined
  const rest = text.slice(colon + 1)
  if (channel === undefined || !REST.test(rest)) return null
  return channel === 'whatsapp' && !isE164(rest) ? null : channel
}

/** The channel of a sender, null when the text has no known form. */
export function senderChannel(text: string): Channel | null {
  if (SHORT_CODE.test(text)) return 'short-code'
  const channel = recipientChannel(text)
  if (channel !== null) return channel
  return SENDER_NAME.test(text) ? 'name' : null
}

export const isMessagingService = (text: string): boolean => SERVICE.test(text)

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const EMAIL = new RegExp(`^[A-Za-z0-9_+=-]+(?:\\.[A-Za-z0-9_+=-]+)*@${LABEL}(?:\\.${LABEL})+$`)

/** `a@b.c` in ASCII, without quoting, comments or routes. */
export const isEmail = (text: string): boolean => text.length <= 254 && EMAIL.test(text)
