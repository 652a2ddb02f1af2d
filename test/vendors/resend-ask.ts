import { formatUsd } from '../../src/contracts/money.js'
import type {
  Explained,
  Explanation,
  Json,
  JsonObject,
  LookUp,
  Operation,
  Question,
} from '../../src/contracts/vendor.js'
import { Form } from '../../src/wire/form.js'
import { resend } from '../../vendors/resend/index.js'

export const ID = '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794'
export const FROM = 'billing@acme.com'

export function operationOn(route: string): Operation {
  const found = resend.operations.find((operation) => operation.routes.includes(route))
  if (!found) throw new Error(`no operation on ${route}`)
  return found
}

/** Every placeholder of the catalogue stands for an id unless a test says otherwise. */
const PLACEHOLDERS = resend.operations
  .flatMap(({ routes }) => routes)
  .flatMap((route) => [...route.matchAll(/\{([a-z_]+)\}/g)].map((match) => match[1]!))
  .filter((name) => name !== 'audience_id')

export function ask(json: Json | undefined, over: Partial<Question> = {}): Question {
  return {
    method: 'POST',
    path: Object.fromEntries(PLACEHOLDERS.map((name) => [name, ID])),
    params: new Form([]),
    json,
    header: () => undefined,
    account: '',
    apiVersion: '',
    nowMs: 0,
    rates: { convert: () => null, why: () => 'no rates' },
    prices: {
      prefix: () => null,
      flat: (name) => resend.prices!.flat[name] ?? null,
      safety: resend.prices!.safety,
      why: (what) => `No price for ${what}.`,
    },
    restricted: { customers: false, recipients: false, senders: false },
    ...over,
  }
}

export const explainedBy = (route: string, json?: Json, over: Partial<Question> = {}): Explained =>
  operationOn(route).explain!(ask(json, over))

export function explain(route: string, json?: Json, over: Partial<Question> = {}): Explanation {
  const explained = explainedBy(route, json, over)
  if ('lookUp' in explained) throw new Error(`unexpected look-up of ${explained.lookUp.path}`)
  return explained
}

export const quoteOf = (explanation: Explanation): string =>
  'amount' in explanation.quote
    ? `${explanation.quote.basis} ${formatUsd(explanation.quote.amount)}`
    : explanation.quote.basis

/** Answers look-ups in order and returns what came out, with the paths that were asked. */
export function resolved(
  explained: Explained,
  replies: readonly (JsonObject | null)[],
): { readonly explanation: Explanation; readonly asked: readonly string[] } {
  const asked: string[] = []
  let at: Explained = explained
  while ('lookUp' in at) {
    const { path, params = [] } = (at as LookUp).lookUp
    asked.push(path + params.map(([name, value], i) => `${i === 0 ? '?' : '&'}${name}=${value}`).join(''))
    if (asked.length > replies.length) throw new Error(`an unexpected look-up of ${asked.at(-1)}`)
    at = at.then(replies[asked.length - 1]!)
  }
  return { explanation: at, asked }
}
