import type { Match } from '../../catalogue.js'
import type { RunSource } from '../../contracts/ledger.js'
import type { Authorization, Json, JsonObject } from '../../contracts/vendor.js'
import type { VendorRuntime } from '../../engine.js'
import type { Content, Exchange, Fault } from '../../exchange.js'
import { EMPTY, Form, parseForm } from '../../wire/form.js'
import { parseJson } from '../../wire/json.js'
import { anyContent } from '../any-content.js'
import { isObject } from './service.js'

const REASON_CHARS_MAX = 500

/** What is known of the HTTP request that carried a tool call. */
export interface Carrier {
  readonly authorization: Authorization | null
  readonly labels: readonly { readonly source: RunSource; readonly run: string }[]
  readonly base: string | null
  readonly reason: string | null
  header(name: string): string | undefined
}

/** One request to a vendor, as a tool call asks for it. */
export interface Asked {
  readonly method: string
  /** Canonical, placeholders filled in. */
  readonly path: string
  /** Parameters as JSON: nested, or with bracketed names, but no name in two ways. Under the name '' a whole JSON body. */
  readonly parameters: JsonObject
  /** A query as it stood in a path. */
  readonly query?: string
  /** A body as text, in place of parameters: JSON, or a form where the vendor takes forms. */
  readonly text?: string
  /** What kind of text it is said to be, for vendors whose calls are not known here; JSON when nothing is said. */
  readonly mediaType?: string
  /** Headers that arguments stand for (`stripe-account`). */
  readonly headers?: Readonly<Record<string, string>>
  readonly reason?: string
  readonly idempotencyKey?: string
  /** What was wrong with the arguments before they could become a request. */
  readonly fault?: Fault
}

/** A tool call as the pipeline sees it: the same strict reading, judging and booking as a request over REST. */
export class ToolExchange implements Exchange {
  readonly surface = 'mcp'
  readonly authorization: Authorization | null
  readonly fault: Fault | null
  readonly named: Exchange['named']
  readonly labels: Exchange['labels']
  readonly base: string | null
  readonly reason: string | null
  /** The protocol has none for tool calls; without one the pipeline gives every call its own. */
  readonly idempotencyKey: string | null
  readonly method: string
  readonly #carrier: Carrier
  readonly #asked: Asked

  /** @param vendor null for what concerns no vendor: a refusal before one was named */
  constructor(vendor: string | null, carrier: Carrier, asked: Asked) {
    this.#carrier = carrier
    this.#asked = asked
    this.authorization = carrier.authorization
    this.fault = asked.fault ?? null
    this.named = { prefix: vendor, host: null, root: null }
    this.labels = carrier.labels
    this.base = carrier.base
    this.reason = (asked.reason ?? carrier.reason)?.slice(0, REASON_CHARS_MAX) ?? null
    this.idempotencyKey = asked.idempotencyKey ?? null
    this.method = asked.method
  }

  pathFor(): string {
    return this.#asked.path
  }

  header(name: string): string | undefined {
    return this.#asked.headers?.[name] ?? (FORWARDED.has(name) ? this.#carrier.header(name) : undefined)
  }

  read({ vendor }: VendorRuntime, match: Match | null): Promise<Content | Fault> {
    const asked = this.#asked
    return Promise.resolve(
      vendor.bindings === undefined ? contentOf(asked, vendor.body, match) : configuredContent(asked),
    )
  }
}

/** Of the carrier's headers a vendor gets these; `accept` and the like speak of MCP. */
const FORWARDED = new Set(['user-agent', 'stripe-account', 'stripe-context', 'traceparent'])

/** At a vendor by configuration text is what it says it is, and parameters are the query of a read and the JSON of a write. */
function configuredContent({ method, query = '', text = '', mediaType, parameters }: Asked): Content | Fault {
  const none = Object.keys(parameters).length === 0
  if (text !== '' || none) return anyContent(method, query, Buffer.from(text), mediaType ?? 'application/json')
  if (method !== 'GET' && method !== 'DELETE')
    return anyContent(method, query, Buffer.from(JSON.stringify(parameters)), 'application/json')
  const written = [query, new Form([...pairsIn(parameters, [])]).serialise()]
  return anyContent(method, written.filter((part) => part !== '').join('&'), Buffer.alloc(0), undefined)
}

/** As over REST: parameters of a GET or DELETE in its query, of anything else in its body, and never in both. */
function contentOf(asked: Asked, usual: 'form' | 'json', match: Match | null): Content | Fault {
  const { method, query = '', text = '' } = asked
  const inQuery = method === 'GET' || method === 'DELETE'
  if (inQuery ? text !== '' : query !== '')
    return {
      code: 'request_ambiguous',
      message: `The parameters of a ${method} belong in its ${inQuery ? 'query' : 'body'}; here they stand in both or in the wrong one.`,
    }
  const json = !inQuery && (match?.operation.body ?? usual) === 'json'
  let { parameters } = asked
  if (text !== '' && (json || text.trimStart().startsWith('{'))) {
    const parsed = parseJson(text)
    if ('code' in parsed) return parsed
    parameters = isObject(parsed.value) ? parsed.value : { '': parsed.value }
  }
  if (json) {
    const empty = text === '' && Object.keys(parameters).length === 0
    if (empty) return { form: EMPTY, json: undefined, place: 'none' }
    return { form: EMPTY, json: Object.hasOwn(parameters, '') ? parameters[''] : parameters, place: 'json' }
  }
  const repeats = match?.operation.repeats
  const pairs = [...pairsIn(parameters, repeats ?? [])]
  // Read back by the parser of requests: its rules hold for names that came in brackets, too.
  const written = [query, parameters === asked.parameters ? text : '', new Form(pairs).serialise()]
  const form = parseForm(written.filter((part) => part !== '').join('&'), repeats)
  if (!(form instanceof Form)) return form
  const empty = form.entries().length === 0
  return { form, json: undefined, place: inQuery ? 'query' : empty ? 'none' : 'form' }
}

function* pairsIn(parameters: JsonObject, repeats: readonly string[]): Generator<[string, string]> {
  for (const [name, value] of Object.entries(parameters)) {
    if (Array.isArray(value) && repeats.includes(name)) {
      for (const each of value as readonly Json[]) yield* pairsOf(name, each)
    } else yield* pairsOf(name, value)
  }
}

/** `{items: [{price: 'p'}]}` as `items[0][price]=p`. JSON null is Stripe's empty value, which unsets. */
function* pairsOf(name: string, value: Json | undefined): Generator<[string, string]> {
  if (value === undefined) return
  if (value === null) yield [name, '']
  else if (Array.isArray(value)) {
    for (const [i, each] of (value as readonly Json[]).entries()) yield* pairsOf(`${name}[${i}]`, each)
  } else if (typeof value === 'object') {
    for (const [inner, each] of Object.entries(value)) yield* pairsOf(`${name}[${inner}]`, each)
  } else yield [name, String(value)]
}
