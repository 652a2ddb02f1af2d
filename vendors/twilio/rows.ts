import type { Effect } from '../../src/contracts/call.js'
import type { Explained, Explanation, Operation, Question } from '../../src/contracts/vendor.js'
import { lines } from '../table.js'
import { malformed } from './answers.js'
import { jsonIn } from './json.js'
import { bill, flatPrice, unpriceable } from './pricing.js'
import { isPlainUrl } from './urls.js'

type Shared = Omit<Operation, 'id' | 'routes'> & {
  /** Whether it shows or concerns people's numbers and addresses that the request does not name. */
  readonly people?: true
}

/** Catalogue entries that share everything but name and routes (see `lines`). Without `explain` they are free and say which URLs they name. */
export const rows = ({ people, ...shared }: Shared, text: string): Operation[] =>
  lines(text).map((line) => ({
    explain: (question) => plainly(question, people === true),
    ...shared,
    ...line,
  }))

/** Where the facts of most operations come from. */
export const SOURCE = 'twilio-oai d50069b, 2026-04-14; twilio-node 6.2.0'

/** Parameter names, for `accepts`. */
export const names = (text: string): readonly string[] => text.trim().split(/\s+/)

/** For what costs an amount nobody can tell beforehand: refused as `amount_unknown`, with this sentence. */
export const unpriced =
  (why: string, effects: readonly Effect[] = []) =>
  (question: Question): Explained => {
    const explained = plainly(question, true)
    return explained.refuse ? explained : { ...explained, effects, quote: unpriceable(why) }
  }

/** For what has one flat price a call, whatever its parameters. */
export const flatly =
  (name: string, effects: readonly Effect[] = []) =>
  (question: Question): Explained => {
    const explained = plainly(question, true)
    if (explained.refuse) return explained
    const quote = bill(question.prices, 'ceiling', [{ units: 1n, price: flatPrice(question.prices, name) }])
    return { ...explained, direction: 'out', effects, quote }
  }

/** For what is free and does more than its operation's effect with every parameter. */
export const alsoIs =
  (...effects: readonly Effect[]) =>
  (question: Question): Explained => ({ ...plainly(question, true), effects })

/** Free, with the URLs it names, or refused because one of them has no certain host. */
export function plainly(question: Question, people: boolean): Explanation {
  const urls = [...urlsIn(question)]
  const fault = urls.find((url) => !isPlainUrl(url) && !/^wss?:/i.test(url))
  if (fault !== undefined) return malformed(`«${fault.slice(0, 100)}» is not a plain absolute URL.`)
  return {
    quote: { basis: 'free' },
    subjects: {
      ...(urls.length > 0 && { urls }),
      ...(people && { recipients: null, senders: null }),
    },
  }
}

/** JSON that applications keep for themselves: nothing in it is fetched or called. */
const OPAQUE = /^(Attributes|Data|TaskAttributes|(Pre|Post)EngagementData)$/

/** Every value that is a URL or stands under a name that takes one, wherever it stands. */
function* urlsIn({ params, json }: Question): Generator<string> {
  for (const [name, value] of params.entries()) {
    if (value === '') continue
    if (isUrlish(name, value)) yield value
    else if (!OPAQUE.test(name) && /^\s*(\{|\[\s*["{[])/.test(value)) yield* urlsInText(name, value)
  }
  yield* urlsInJson('', json)
}

/** Some parameters take JSON as text. What looks like it, cannot be read and holds a URL is given as it stands, which no URL is. */
function* urlsInText(name: string, text: string): Generator<string> {
  const json = jsonIn(text)
  if (json !== undefined) yield* urlsInJson(name, json)
  else if (text.includes('://') || text.includes('\\/')) yield text
}

function* urlsInJson(name: string, json: Question['json']): Generator<string> {
  if (typeof json === 'string') {
    if (json !== '' && isUrlish(name, json)) yield json
  } else if (Array.isArray(json)) {
    for (const item of json) yield* urlsInJson(name, item)
  } else if (typeof json === 'object' && json !== null) {
    for (const [inner, item] of Object.entries(json)) yield* urlsInJson(inner, item)
  }
}

const isUrlish = (name: string, value: string): boolean =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(value) || /(url|uri|webhook|callback)$/i.test(name)
