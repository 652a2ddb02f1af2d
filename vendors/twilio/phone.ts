import type { NumberType } from 'libphonenumber-js/max'
import { numberingPlans } from './numbering.js'

const E164 = /^\+[1-9][0-9]{6,14}$/

/**
 * Whether a text is E.164 byte for byte. The phone library accepts far more (`tel:`, extensions, full-width digits); it
 * never sees those.
 */
export const isE164 = (text: string): boolean => E164.test(text)

export type Destination = { readonly country: string } | { readonly why: string }

/** Number ranges that are billed to whoever calls, at rates no price table of ours knows. */
const NEVER_PRICED: ReadonlySet<NumberType> = new Set([
  'PREMIUM_RATE',
  'PERSONAL_NUMBER',
  'SHARED_COST',
  'UAN',
  'PAGER',
  'VOICEMAIL',
])

/**
 * The country (ISO 3166-1 alpha-2) a number belongs to, or why it cannot have a price. A calling code is no country:
 * +1 holds the United States, Canada and twenty-odd Caribbean states, and +881 (satellite) or +882 none at all.
 *
 * @param number E.164
 */
export function destinationOf(number: string): Destination {
  const phone = numberingPlans().parsePhoneNumberFromString(number)
  if (!phone || phone.number !== number) return { why: `${number} is not in any numbering plan.` }
  if (phone.country === undefined)
    return { why: `${number} belongs to no single country (satellite or global service).` }
  const type = phone.getType()
  if (type === undefined) return { why: `${number} lies in no assigned range of ${phone.country}.` }
  if (NEVER_PRICED.has(type)) return { why: `${number} is a ${type.toLowerCase().replaceAll('_', ' ')} number.` }
  return { country: phone.country }
}

/** Kinds of number that Twilio rents at prices of their own. */
export type Kind = 'local' | 'mobile' | 'toll_free' | 'national'

export interface Rental {
  readonly country: string
  readonly kind: Kind
}

/** What renting a number is billed as, or why that cannot be said. In +1 mobile numbers are local ones. */
export function rentalOf(number: string): Rental | { readonly why: string } {
  const destination = destinationOf(number)
  if ('why' in destination) return destination
  const type = numberingPlans().parsePhoneNumberFromString(number)?.getType()
  return { country: destination.country, kind: (type && KINDS.get(type)) ?? 'national' }
}

const KINDS: ReadonlyMap<NumberType, Kind> = new Map<NumberType, Kind>([
  ['TOLL_FREE', 'toll_free'],
  ['MOBILE', 'mobile'],
  ['FIXED_LINE', 'local'],
  ['FIXED_LINE_OR_MOBILE', 'local'],
])
