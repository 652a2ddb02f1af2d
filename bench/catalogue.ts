import { Catalogue } from '../src/catalogue.js'
import type { Ledger } from '../src/contracts/ledger.js'
import type { Operation, Question, Vendor } from '../src/contracts/vendor.js'
import { Form } from '../src/wire/form.js'
import { Tables } from '../src/tables.js'
import { vendors } from '../vendors/index.js'
import { markdown } from './report.js'

/** Nanoseconds a call, best of the rounds: what the code takes when nobody else uses the processor. */
export interface Matching {
  readonly vendor: string
  readonly operations: number
  readonly routes: number
  /** Every route of the table once, with ids as the vendor's own. */
  readonly knownNs: number
  /** The same paths under a method none of them has, and one segment longer. */
  readonly unknownNs: number
  /** What a typical call of it means, from parsed parameters to price and subjects. */
  readonly typical: readonly { readonly operation: string; readonly explainNs: number }[]
}

/** A call is looked up once; beyond this it would show beside the durable write. */
export const MATCH_MAX_US = 5

export const measureCatalogues = (rounds: number): Matching[] => vendors.map((vendor) => measure(vendor, rounds))

function measure(vendor: Vendor, rounds: number): Matching {
  const catalogue = new Catalogue(vendor)
  const routes = vendor.operations.flatMap((operation) => operation.routes)
  const known = routes.map((route) => route.replace(/\{[^}]*\}/g, ID).split(' ') as [string, string])
  const unknown = known.flatMap(([method, path]): [string, string][] => [
    ['BREW', path],
    [method, `${path}/x`],
  ])
  const matched = known.filter(([method, path]) => catalogue.match(method, path) !== null).length
  if (matched !== known.length) throw new Error(`${vendor.name}: ${known.length - matched} routes match nothing.`)
  return {
    vendor: vendor.name,
    operations: vendor.operations.length,
    routes: routes.length,
    knownNs: best(rounds, known, ([method, path]) => catalogue.match(method, path)),
    unknownNs: best(rounds, unknown, ([method, path]) => catalogue.match(method, path)),
    typical: (TYPICAL[vendor.name] ?? []).map(({ method, path, params, json }) => {
      const { operation, params: ids } = catalogue.match(method, path)!
      const question = questionOf(vendor, method, ids, params ?? [], json)
      return { operation: operation.id, explainNs: best(rounds, [question], (each) => explained(operation, each)) }
    }),
  }
}

const ID = 'pi_3QhZkA2eZvKYlo2C1b2c3d4e'
const CALLS = 20_000

/** Nanoseconds one call of `act` takes, over all of `inputs` in turn. */
function best<T>(rounds: number, inputs: readonly T[], act: (input: T) => unknown): number {
  const turns = Math.max(1, Math.ceil(CALLS / inputs.length))
  let least = Infinity
  let seen = 0
  // Two rounds more: the first ones are compiled while they run.
  for (let round = 0; round < rounds + 2; round++) {
    const from = process.hrtime.bigint()
    for (let turn = 0; turn < turns; turn++) for (const input of inputs) if (act(input) !== null) seen += 1
    const ns = Number(process.hrtime.bigint() - from) / (turns * inputs.length)
    if (round >= 2) least = Math.min(least, ns)
  }
  // What is computed must be used, or it would not be computed.
  if (seen < 0) throw new Error('nothing was computed')
  return least
}

interface Typical {
  readonly method: string
  readonly path: string
  readonly params?: readonly (readonly [string, string])[]
  readonly json?: Question['json']
}

const TYPICAL: Readonly<Record<string, readonly Typical[]>> = {
  stripe: [
    {
      method: 'POST',
      path: '/v1/payment_intents',
      params: [
        ['amount', '1000'],
        ['currency', 'usd'],
        ['customer', 'cus_A'],
        ['payment_method', 'pm_card_visa'],
        ['confirm', 'true'],
        ['metadata[order]', '6735'],
      ],
    },
    { method: 'GET', path: '/v1/charges', params: [['customer', 'cus_A']] },
  ],
  twilio: [
    {
      method: 'POST',
      path: `/2010-04-01/Accounts/AC${'0'.repeat(32)}/Messages.json`,
      params: [
        ['To', '+14155550123'],
        ['From', '+14155550100'],
        ['Body', 'Your parcel arrives today between 10 and 12.'],
      ],
    },
  ],
  resend: [
    {
      method: 'POST',
      path: '/emails',
      json: { from: 'billing@acme.com', to: ['ann@acme.com'], subject: 'Your invoice', html: '<p>Thank you.</p>' },
    },
  ],
}

function explained(operation: Operation, question: Question): unknown {
  const meaning = operation.explain?.(question) ?? null
  if (meaning !== null && !('lookUp' in meaning) && meaning.refuse !== undefined)
    throw new Error(`${operation.id} refuses the bench's request: ${meaning.refuse.message}`)
  return meaning
}

/** As the pipeline asks it, with the shipped prices on the day they are from. */
function questionOf(
  vendor: Vendor,
  method: string,
  path: Question['path'],
  params: NonNullable<Typical['params']>,
  json: Question['json'],
): Question {
  const nowMs = Date.parse(`${vendor.prices?.as_of ?? '2026-11-20'}T12:00:00.000Z`)
  const clock = { now: () => nowMs, monotonic: () => 0 }
  const tables = new Tables({ setting: () => undefined } as unknown as Ledger, [vendor], clock)
  return {
    method,
    path,
    params: new Form(params),
    json,
    header: () => undefined,
    account: `AC${'0'.repeat(32)}`,
    apiVersion: '',
    rates: tables.rates,
    prices: tables.prices(vendor.name),
    nowMs,
    restricted: { customers: false, recipients: false, senders: false },
  }
}

export const matchingTable = (all: readonly Matching[]): string =>
  markdown(
    ['vendor', 'operations', 'routes', 'known, ns', 'unknown, ns'],
    all.map(({ vendor, operations, routes, knownNs, unknownNs }) => [
      vendor,
      String(operations),
      String(routes),
      knownNs.toFixed(0),
      unknownNs.toFixed(0),
    ]),
  )

export const explainTable = (all: readonly Matching[]): string =>
  markdown(
    ['what a call means', 'µs'],
    all.flatMap(({ vendor, typical }) =>
      typical.map(({ operation, explainNs }) => [`${vendor} ${operation}`, (explainNs / 1000).toFixed(1)]),
    ),
  )
