import { Decimal } from 'decimal.js'
import { priced, type Rates } from '../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Question } from '../../src/contracts/vendor.js'
import { Form, parseForm } from '../../src/wire/form.js'
import { stripe } from '../../vendors/stripe/index.js'

/** USD for one major unit. Deliberately few, and UGX and ISK are among them. */
const USD_PER: Readonly<Record<string, string>> = {
  usd: '1',
  eur: '1.10',
  jpy: '0.0065',
  kwd: '3.25',
  ugx: '0.00027',
  isk: '0.0072',
}
const HAIRCUT = '1.03'

export const rates: Rates = {
  convert(minor, exponent, currency) {
    const rate = USD_PER[currency]
    if (rate === undefined) return null
    const perMinor = new Decimal(rate).div(new Decimal(10).pow(exponent)).toFixed()
    return {
      reserve: priced(minor, perMinor, currency === 'usd' ? '1' : HAIRCUT),
      settle: priced(minor, perMinor),
    }
  },
  why: (currency) => `No rate for ${currency}.`,
}

export interface Setting {
  readonly customers?: boolean
  readonly apiVersion?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The operation of a request and the request as the operation sees it. Literal segments win over placeholders. */
export function ask(request: string, form = '', setting: Setting = {}): { operation: Operation; question: Question } {
  const params = parseForm(form)
  if (!(params instanceof Form)) throw new Error(`${form}: ${params.message}`)
  const found = stripe.operations
    .flatMap((operation) => operation.routes.map((route) => ({ operation, route, path: match(route, request) })))
    .filter((one) => one.path !== null)
    .sort((a, b) => Object.keys(a.path!).length - Object.keys(b.path!).length)[0]
  if (!found) throw new Error(`${request} is no operation`)
  return {
    operation: found.operation,
    question: {
      method: request.split(' ')[0]!,
      path: found.path!,
      params,
      json: undefined,
      header: (name) => setting.headers?.[name],
      account: '',
      apiVersion: setting.apiVersion ?? '',
      rates,
      prices: { prefix: () => null, flat: () => null, safety: '1', why: (what) => what },
      nowMs: 0,
      restricted: { customers: setting.customers ?? false, recipients: false, senders: false },
    },
  }
}

function match(route: string, request: string): Record<string, string> | null {
  const [template, actual] = [route.split(/[ /]/), request.split(/[ /]/)]
  if (template.length !== actual.length) return null
  const path: Record<string, string> = {}
  for (const [i, segment] of template.entries()) {
    const placeholder = /^\{(.*)\}$/.exec(segment)
    if (placeholder) path[placeholder[1]!] = actual[i]!
    else if (segment !== actual[i]) return null
  }
  return path
}

/** Replies by `METHOD path`; a missing one is Stripe's 404. */
export type Replies = Readonly<Record<string, JsonObject>>

export interface Answer {
  readonly explanation: Explanation
  /** `METHOD path?params` of every look-up, in order. */
  readonly lookUps: readonly string[]
}

/** Explains a request, following its look-ups through literal replies. */
export function explain(request: string, form = '', replies: Replies = {}, setting: Setting = {}): Answer {
  const { operation, question } = ask(request, form, setting)
  const lookUps: string[] = []
  let explained: Explained = operation.explain!(question)
  while ('lookUp' in explained) {
    const { method = 'GET', path, params = [] } = explained.lookUp
    lookUps.push(`${method} ${path}${params.length > 0 ? '?' : ''}${params.map((pair) => pair.join('=')).join('&')}`)
    explained = explained.then(replies[`${method} ${path}`] ?? null)
  }
  return { explanation: explained, lookUps }
}

/** What the operation makes of a successful reply to the request. */
export function outcome(request: string, form: string, reply: JsonObject, replies: Replies = {}) {
  const { operation, question } = ask(request, form)
  return operation.outcome?.(reply, question, explain(request, form, replies).explanation)
}
