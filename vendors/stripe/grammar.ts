import type { Denial } from '../../src/contracts/call.js'
import type { Params } from '../../src/contracts/vendor.js'

type Refusal = Pick<Denial, 'code' | 'message'>

/**
 * What every Stripe form must look like before anything in it is believed. Stripe's own parser is lenient and the
 * SDKs forward `1e21`, `1999.5` and `USD ` as they are, so a value that could be read as another number, another
 * currency or another id is refused instead of interpreted. After this check `get('amount')` is absent or a plain
 * integer, and a name that must be a scalar is not hidden in a map (`amount[x]=1`).
 *
 * @param signed names (last segment) which Stripe takes as signed here, such as a customer's `balance`
 * @param maps names that hold a map here, though they are scalars everywhere else (a credit grant's `amount`)
 */
export function fault(params: Params, signed: readonly string[] = [], maps: readonly string[] = []): Refusal | null {
  for (const [name, value] of params.entries()) {
    const path = segments(name)
    if (DESCRIPTIVE.has(path[0]!)) continue
    for (let depth = 0; depth < path.length; depth++) {
      const segment = path[depth]!
      if (segment === 'metadata') break
      if (depth < path.length - 1) {
        if (isScalar(segment, depth, path[depth + 1]!) && !(depth === 0 && maps.includes(segment))) {
          return refusal(`${shown(name)} is a map or a list, and ${segment} takes one value.`)
        }
        continue
      }
      const sentence = faultOf(segment, depth, value, signed.includes(segment))
      if (sentence) return refusal(`${name} ${shown(value)} ${sentence}`)
    }
  }
  return null
}

function faultOf(segment: string, depth: number, value: string, signed: boolean): string | null {
  if (INTEGERS.has(segment)) {
    if (INTEGER.test(signed ? value.replace(/^-(?=[1-9])/, '') : value)) return null
    return 'is not a plain integer. Send whole minor units in digits only, such as 1999 for USD 19.99.'
  }
  if (DECIMALS.has(segment)) {
    if (DECIMAL.test(signed ? value.replace(/^-(?=[0-9])/, '') : value)) return null
    return 'is not a plain decimal number of minor units.'
  }
  if (BOOLEANS.has(segment)) return value === 'true' || value === 'false' ? null : 'is not true or false.'
  if (segment === 'currency') return CURRENCY.test(value) ? null : 'is not a currency code of three lower-case letters.'
  if (isId(segment, depth)) return value === '' || isPlainId(value) ? null : 'is not an object id.'
  return null
}

const INTEGER = /^(0|[1-9][0-9]{0,11})$/
const DECIMAL = /^(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?$/
const CURRENCY = /^[a-z]{3}$/

/** Whether a text can stand as one path segment of a look-up. */
const isPlainId = (text: string): boolean => /^[A-Za-z0-9_.:-]{1,255}$/.test(text) && !/^\.+$/.test(text)

const INTEGERS: ReadonlySet<string> = new Set([
  'amount',
  'amount_off',
  'amount_to_capture',
  'amount_to_confirm',
  'application_fee',
  'application_fee_amount',
  'balance',
  'flat_amount',
  'limit',
  'max_redemptions',
  'quantity',
  'unit_amount',
])
const DECIMALS: ReadonlySet<string> = new Set([
  'amount_decimal',
  'flat_amount_decimal',
  'metric_tons',
  'quantity_decimal',
  'unit_amount_decimal',
])
const BOOLEANS: ReadonlySet<string> = new Set([
  'active',
  'auto_advance',
  'cancel_at_period_end',
  'capture',
  'confirm',
  'deleted',
  'enabled',
  'final_capture',
  'forgive',
  'invoice_now',
  'paid_out_of_band',
  'pending',
  'prorate',
  'refund_application_fee',
  'reverse_transfer',
  'submit',
  'transfer_lookup_key',
])
/** Ids we look up or judge by. Deeper inside, some of them mean something else (`payment_details[subscription]`). */
const IDS: ReadonlySet<string> = new Set([
  'charge',
  'customer',
  'invoice',
  'payment_intent',
  'source_transaction',
  'subscription',
])
const WORDS: ReadonlySet<string> = new Set([
  'billing_cycle_anchor',
  'collection_method',
  'duration',
  'method',
  'mode',
  'origin',
  'pending_invoice_items_behavior',
  'proration_behavior',
  'trial_end',
])
/** Text for people and networks, whose inner names may be anything. */
const DESCRIPTIVE: ReadonlySet<string> = new Set([
  'amount_details',
  'custom_fields',
  'custom_text',
  'evidence',
  'expand',
  'metadata',
  'payment_details',
  'payment_method_data',
  'radar_options',
  'shipping',
])

const isId = (segment: string, depth: number): boolean =>
  segment === 'price' || segment === 'plan' || (depth === 0 && IDS.has(segment))

function isScalar(segment: string, depth: number, inner: string): boolean {
  // A legacy charge may say destination[account]; everywhere else a destination is one id.
  if (segment === 'destination') return depth > 0 || (inner !== 'account' && inner !== 'amount')
  if (segment === 'currency' || segment === 'on_behalf_of' || isUrlName(segment)) return true
  return (
    INTEGERS.has(segment) ||
    DECIMALS.has(segment) ||
    BOOLEANS.has(segment) ||
    isId(segment, depth) ||
    (depth === 0 && WORDS.has(segment))
  )
}

/** `return_url`, and the `url` of a redirect or an icon. */
export const isUrlName = (segment: string): boolean => /(^|_)url$/.test(segment)

const split = new Map<string, readonly string[]>()
const SPLIT_MAX = 2_000

/** `items[0][price]` as `items`, `0`, `price`. Names repeat from call to call, so what was split is kept. */
export function segments(name: string): readonly string[] {
  const known = split.get(name)
  if (known !== undefined) return known
  const found = name.replaceAll(']', '').split('[')
  if (split.size >= SPLIT_MAX) split.clear()
  split.set(name, found)
  return found
}

/** A value from the request as it may stand in a message: quoted and short. */
export const shown = (value: string): string => JSON.stringify(value.length > 24 ? `${value.slice(0, 24)}…` : value)

const refusal = (message: string): Refusal => ({ code: 'request_malformed', message: `${message} Do not retry.` })
