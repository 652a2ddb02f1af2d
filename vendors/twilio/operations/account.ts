import type { Operation, Question } from '../../../src/contracts/vendor.js'
import { given, malformed, PAGING, refused, shown } from '../answers.js'
import { isE164 } from '../phone.js'
import { bill, flatPrice } from '../pricing.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const USAGE = [
  'Records',
  'Records/AllTime',
  'Records/Daily',
  'Records/LastMonth',
  'Records/Monthly',
  'Records/ThisMonth',
  'Records/Today',
  'Records/Yearly',
  'Records/Yesterday',
]
const FIELDS_MAX = 20

/** Reads about numbers and about the account itself. */
export const account: readonly Operation[] = [
  {
    id: 'lookups.get',
    routes: ['GET lookups.twilio.com/v2/PhoneNumbers/{PhoneNumber}'],
    // A read that costs: each field is billed, so it carries a quote.
    effect: 'read',
    accepts: [
      'Fields',
      'CountryCode',
      'FirstName',
      'LastName',
      'AddressLine1',
      'AddressLine2',
      'City',
      'State',
      'PostalCode',
      'AddressCountryCode',
      'NationalId',
      'DateOfBirth',
      'LastVerifiedDate',
      'VerificationSid',
      'PartnerSubId',
    ],
    explain: explainLookup,
  },
  { id: 'account.balance', routes: [`GET ${ACCOUNT}/Balance.json`], effect: 'read' },
  ...USAGE.map((records): Operation => ({
    id: `account.usage.${records.toLowerCase().replace('/', '.')}`,
    routes: [`GET ${ACCOUNT}/Usage/${records}.json`],
    effect: 'read',
    accepts: ['Category', 'StartDate', 'EndDate', 'IncludeSubaccounts', ...PAGING],
  })),
]

function explainLookup(question: Question) {
  const number = question.path.PhoneNumber!
  if (!isE164(number)) return malformed(`${shown(number)} is not a number like +14155550100.`)
  const text = given(question.params, 'Fields')
  if (text === undefined) return { quote: { basis: 'free' } as const, subjects: {} }
  const fields = text.split(',')
  if (fields.length > FIELDS_MAX || fields.some((field) => !/^[a-z][a-z0-9_]{0,63}$/.test(field)))
    return malformed(`Fields is ${shown(text)}; it must be names with commas and no spaces between.`)
  if (new Set(fields).size !== fields.length) return refused('request_ambiguous', 'Fields names the same field twice.')
  const items = fields.map((field) => ({ units: 1n, price: flatPrice(question.prices, `lookup.${field}`) }))
  return { direction: 'out' as const, quote: bill(question.prices, 'exact', items), subjects: {} }
}
