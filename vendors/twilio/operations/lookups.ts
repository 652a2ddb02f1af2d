import type { Explained, Explanation, Json, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, isObject, malformed, member, refused, shown } from '../answers.js'
import { isE164 } from '../phone.js'
import { bill, flatPrice, type Item } from '../pricing.js'
import { names, rows, SOURCE } from '../rows.js'

const V2 = 'lookups.twilio.com/v2'
const FIELD = /^[a-z][a-z0-9_]{0,63}$/
const FIELDS_MAX = 20
const NUMBERS_MAX = 1000
const WEAKER = 'A read that costs: it carries a quote.'
const NOTHING_ASKED = 'Without fields only the form of a number is checked, which Twilio does for nothing.'

/** What is known about a number. Each field is billed; what has no price in the table is refused. */
export const lookups: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'lookups.get',
    routes: [`GET ${V2}/PhoneNumbers/{PhoneNumber}`],
    effect: 'read',
    accepts: names(`Fields CountryCode FirstName LastName AddressLine1 AddressLine2 City State PostalCode
      AddressCountryCode NationalId DateOfBirth LastVerifiedDate VerificationSid PartnerSubId`),
    weaker: WEAKER,
    explain: explainLookup,
  },
  {
    id: 'lookups.v1.get',
    routes: ['GET lookups.twilio.com/v1/PhoneNumbers/{PhoneNumber}'],
    effect: 'read',
    accepts: ['CountryCode', 'Type', 'AddOns'],
    repeats: ['Type', 'AddOns'],
    weaker: WEAKER,
    explain: explainLookupV1,
  },
  {
    id: 'lookups.batch',
    routes: [`POST ${V2}/batch/query`],
    effect: 'spend',
    body: 'json',
    accepts: ['phone_numbers', 'phoneNumbers'],
    explain: explainBatch,
  },
  ...rows(
    { effect: 'write', body: 'json', explain: aboutNumber, why: 'What later look-ups of the number answer.' },
    `
    lookups.overrides.create POST ${V2}/PhoneNumbers/{PhoneNumber}/Overrides/{Field}
    lookups.overrides.update PUT ${V2}/PhoneNumbers/{PhoneNumber}/Overrides/{Field}`,
  ),
  ...rows(
    { effect: 'destructive', explain: aboutNumber },
    `lookups.overrides.delete DELETE ${V2}/PhoneNumbers/{PhoneNumber}/Overrides/{Field}`,
  ),
  ...rows(
    { effect: 'read', explain: aboutNumber },
    `lookups.overrides.get GET ${V2}/PhoneNumbers/{PhoneNumber}/Overrides/{Field}`,
  ),
  ...rows(
    { effect: 'read' },
    `
    lookups.rate_limits.list GET ${V2}/RateLimits
    lookups.rate_limits.get GET ${V2}/RateLimits/Fields/{Field}/Bucket/{Bucket}`,
  ),
])

function aboutNumber({ path }: Question): Explanation {
  const number = path.PhoneNumber!
  return isE164(number)
    ? { quote: { basis: 'free' }, subjects: { recipients: [number] } }
    : malformed(`${shown(number)} is not a number like +14155550100.`)
}

function explainLookup(question: Question): Explained {
  const about = aboutNumber(question)
  const text = given(question.params, 'Fields')
  if (about.refuse || text === undefined) return about
  const fields = text.split(',')
  const quote = bill(question.prices, 'exact', fieldItems(question, fields))
  return faultOfFields(fields) ?? { ...about, direction: 'out', quote }
}

/** `Type` repeats with hyphenated names; an add-on is priced by whoever sells it. */
function explainLookupV1(question: Question): Explained {
  const about = aboutNumber(question)
  const [types, addOns] = ['Type', 'AddOns'].map((name) => question.params.all(name).filter((value) => value !== ''))
  const kinds = [
    ...types!.map((type) => ['v1', type.replaceAll('-', '_')] as const),
    ...addOns!.map((addOn) => ['addon', addOn] as const),
  ]
  if (about.refuse || kinds.length === 0) return about
  const fault = faultOfFields(kinds.map(([, name]) => name))
  if (fault) return fault
  const items = kinds.map(([kind, name]) => ({
    units: 1n,
    price: flatPrice(question.prices, `lookup.${kind}.${name}`),
  }))
  return { ...about, direction: 'out', quote: bill(question.prices, 'exact', items) }
}

const NUMBER_MEMBERS = new Set(
  names(`correlation_id correlationId phone_number phoneNumber fields country_code countryCode identity_match
    identityMatch reassigned_number reassignedNumber sms_pumping_risk smsPumpingRisk`),
)

function explainBatch(question: Question): Explained {
  const asked = member(question.json, 'phone_numbers')
  if (!Array.isArray(asked) || asked.length === 0 || asked.length > NUMBERS_MAX)
    return malformed(`phone_numbers must be a list of 1 to ${NUMBERS_MAX} objects.`)
  const numbers: string[] = []
  const items: Item[] = []
  for (const each of asked as readonly Json[]) {
    const stranger = isObject(each) ? Object.keys(each).find((name) => !NUMBER_MEMBERS.has(name)) : ''
    if (stranger !== undefined)
      return malformed(`An element of phone_numbers holds ${shown(stranger)}, which is not known.`)
    const number = member(each, 'phone_number')
    const named = member(each, 'fields')
    const fields = named === undefined ? [] : named
    if (typeof number !== 'string' || !isE164(number))
      return malformed('Every element of phone_numbers needs a phone_number like +14155550100.')
    if (!Array.isArray(fields) || !fields.every((field) => typeof field === 'string'))
      return malformed('fields must be a list of names.')
    const fault = faultOfFields(fields as readonly string[])
    if (fault) return fault
    numbers.push(number)
    items.push(...fieldItems(question, fields as readonly string[]))
  }
  return {
    direction: 'out',
    quote: items.length === 0 ? { basis: 'free', why: NOTHING_ASKED } : bill(question.prices, 'exact', items),
    subjects: { recipients: numbers },
  }
}

const fieldItems = ({ prices }: Question, fields: readonly string[]): Item[] =>
  fields.map((field) => ({ units: 1n, price: flatPrice(prices, `lookup.${field}`) }))

function faultOfFields(fields: readonly string[]): Explanation | null {
  if (fields.length > FIELDS_MAX || fields.some((field) => !FIELD.test(field)))
    return malformed(`Fields is ${shown(fields.join())}; it must be names with commas and no spaces between.`)
  return new Set(fields).size === fields.length
    ? null
    : refused('request_ambiguous', 'Fields names the same field twice.')
}
