import type { Commitment, Quote } from '../../src/contracts/call.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Explanation, Params, Question } from '../../src/contracts/vendor.js'
import { recipientChannel, senderChannel } from './addresses.js'
import { given, malformed, shown } from './answers.js'
import { bill, flatPrice, minutePrice, unpriceable, type Item } from './pricing.js'

/** Seconds a call may last when the request does not say. Twilio's own default is four hours. */
const TIME_LIMIT_DEFAULT_S = 600
/** Twilio's account default, and the most we let through. */
const TIME_LIMIT_MAX_S = 14_400
/** The longest ringing Twilio's `Timeout` can ask for. */
const RINGING_MAX_S = 600

/** Minutes no call outlasts: a day, which Twilio can switch on for an account in place of four hours. */
export const CALL_MINUTES_MAX = 1440n

/** What is wrong with the two ends of a call, or null. */
export function faultOfParties(params: Params): Explanation | null {
  const to = given(params, 'To')
  if (to === undefined || recipientChannel(to) === null)
    return malformed(`To is ${shown(to)}; it must be a number like +14155550100, or a sip: or client: address.`)
  const from = given(params, 'From')
  if (from === undefined) return malformed('Name the caller: From.')
  for (const name of ['From', 'CallerId']) {
    const sender = given(params, name)
    if (sender !== undefined && senderChannel(sender) === null)
      return malformed(`${name} is ${shown(sender)}, which is no caller Twilio knows.`)
  }
  return null
}

/** Seconds the call may last, never more than TIME_LIMIT_MAX_S. Null when the value is no plain whole number. */
export function timeLimit(params: Params): bigint | null {
  const asked = given(params, 'TimeLimit') ?? String(TIME_LIMIT_DEFAULT_S)
  if (!/^[1-9][0-9]{0,8}$/.test(asked)) return null
  return BigInt(asked) > TIME_LIMIT_MAX_S ? BigInt(TIME_LIMIT_MAX_S) : BigInt(asked)
}

export const badTimeLimit = (params: Params): Explanation =>
  malformed(`TimeLimit is ${shown(params.get('TimeLimit'))}; it must be whole seconds like 600.`)

/**
 * Every minute that begins is billed. What Twilio bills beside the minute has a flat price, or the call has none.
 *
 * @param beside flat prices of what every minute costs besides
 */
export function quoteDialled({ params, prices }: Question, limitS: bigint, beside: readonly string[] = []): Quote {
  if (given(params, 'Byoc') !== undefined) return unpriceable('Calls over a BYOC trunk are billed by another carrier.')
  const minutes = (limitS + 59n) / 60n
  const to = given(params, 'To')!
  const channel = recipientChannel(to)!
  const items: Item[] = [
    { units: minutes, price: channel === 'phone' ? minutePrice(prices, to) : flatPrice(prices, `voice.${channel}`) },
    ...beside.map((name) => ({ units: minutes, price: flatPrice(prices, name) })),
  ]
  if (isAsked(params, 'Record') || isAsked(params, 'RecordingConfigurationId'))
    items.push({ units: minutes, price: flatPrice(prices, 'voice.recording') })
  if (isAsked(params, 'MachineDetection') || isAsked(params, 'AsyncAmd'))
    items.push({ units: 1n, price: flatPrice(prices, 'voice.amd') })
  return bill(prices, 'ceiling', items)
}

export const isAsked = (params: Params, name: string): boolean =>
  (given(params, name) ?? 'false').toLowerCase() !== 'false'

/** The caller and the numbers shown, as senders. */
export const callersOf = (params: Params): readonly string[] =>
  ['From', 'CallerId'].flatMap((name) => given(params, name) ?? [])

/**
 * A call goes on by itself until it is hung up, at the latest at `dueAt`. Its minutes are counted already, so it is no
 * exposure: it stands among the commitments to be hung up when its key is revoked.
 */
export const untilHungUp = (question: Question, limitS: bigint): Commitment => ({
  kind: 'scheduled',
  perMonth: ZERO,
  dueAt: question.nowMs + (Number(limitS) + RINGING_MAX_S) * 1000,
  quantity: 1n,
})
