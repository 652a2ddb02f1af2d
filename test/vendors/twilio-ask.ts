import { formatUsd } from '../../src/contracts/money.js'
import type { Explained, Explanation, Operation, Prices, PriceTable, Question } from '../../src/contracts/vendor.js'
import { Form } from '../../src/wire/form.js'
import { twilio } from '../../vendors/twilio/index.js'

export const AC = `AC${'a'.repeat(32)}`
export const OTHER = `AC${'b'.repeat(32)}`
export const MG = `MG${'1'.repeat(32)}`
export const SM = `SM${'2'.repeat(32)}`
export const CA = `CA${'3'.repeat(32)}`
export const US = '+14155550100'
export const FROM = '+14155550111'

export type Pairs = readonly (readonly [string, string])[] | Readonly<Record<string, string>>

export function operationOn(route: string): Operation {
  const found = twilio.operations.find((operation) => operation.routes.includes(route))
  if (!found) throw new Error(`no operation on ${route}`)
  return found
}

export function ask(route: string, pairs: Pairs = {}, over: Partial<Question> = {}): Question {
  const form = new Form(Array.isArray(pairs) ? pairs : Object.entries(pairs))
  return {
    method: route.split(' ')[0]!,
    path: { AccountSid: AC, Sid: SM, MessageSid: SM, ServiceSid: 'VA1', PhoneNumber: US },
    params: form,
    json: undefined,
    header: () => undefined,
    account: AC,
    apiVersion: '',
    nowMs: 0,
    rates: { convert: () => null, why: () => 'no rates' },
    prices: pricesOf(twilio.prices!),
    restricted: { customers: false, recipients: false, senders: false },
    ...over,
  }
}

export function pricesOf(table: PriceTable): Prices {
  return {
    prefix: (section, key) => {
      const rows = Object.entries(table.prefixes[section] ?? {}).filter(([prefix]) => key.startsWith(prefix))
      return rows.sort((a, b) => b[0].length - a[0].length)[0]?.[1] ?? null
    },
    flat: (name) => table.flat[name] ?? null,
    safety: table.safety,
    why: (what) => `No price for ${what}.`,
  }
}

export const explainedBy = (route: string, pairs: Pairs = {}, over: Partial<Question> = {}): Explained =>
  operationOn(route).explain!(ask(route, pairs, over))

export function explain(route: string, pairs: Pairs = {}, over: Partial<Question> = {}): Explanation {
  const explained = explainedBy(route, pairs, over)
  if ('lookUp' in explained) throw new Error(`unexpected look-up of ${explained.lookUp.path}`)
  return explained
}

export const quoteOf = (explanation: Explanation): string =>
  'amount' in explanation.quote
    ? `${explanation.quote.basis} ${formatUsd(explanation.quote.amount)}`
    : explanation.quote.basis

export const withFlat = (flat: Readonly<Record<string, string>>): Partial<Question> => ({
  prices: pricesOf({ ...twilio.prices!, flat: { ...twilio.prices!.flat, ...flat } }),
})
