import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Catalogue } from '../../src/catalogue.js'
import { PERMITTED_ONLY, type Effect } from '../../src/contracts/call.js'
import type { Explanation, Operation, Question, Vendor } from '../../src/contracts/vendor.js'
import { Form } from '../../src/wire/form.js'
import { vendors } from '../../vendors/index.js'
import { sdkOperations } from '../../scripts/vendor-operations.mjs'

// The lists in fixtures/catalogues hold everything the three vendors publish that changes something, and the reads
// worth a second look; the installed SDKs know the rest. Nothing of either may be a blind spot.

interface Row {
  readonly host?: string
  readonly method: string
  readonly path: string
  readonly effect?: string
  readonly effect_without_trigger?: string
  readonly triggers?: string | null
  readonly content_type?: string | null
}

const NAMES = ['stripe', 'twilio', 'resend'] as const
type Name = (typeof NAMES)[number]

const listed = (file: string): Row[] =>
  JSON.parse(readFileSync(new URL(`../../fixtures/catalogues/${file}.json`, import.meta.url), 'utf8')) as Row[]

const vendorOf = (name: Name): Vendor => vendors.find((vendor) => vendor.name === name)!
const shape = (route: string): string => route.replace(/\{[^}]*\}/g, '{}')

interface Asked extends Row {
  /** As routes are written: a host beside the main one stands before the path. */
  readonly route: string
}

/** Stripe keeps the paths of its hosts apart, so routes name none. */
function askedOf(name: Name, rows: readonly Row[]): Asked[] {
  const main = vendorOf(name).hosts[0]
  return rows.map((row) => {
    const host = name === 'stripe' || row.host === undefined || row.host === main ? '' : row.host
    return { ...row, route: `${row.method} ${host}${row.path}` }
  })
}

const published = (name: Name): Asked[] => [
  ...askedOf(name, listed(`${name}-operations`)),
  ...(name === 'stripe' ? askedOf(name, listed('stripe-sensitive-reads')) : []),
]

const called = (name: Name): Asked[] =>
  sdkOperations()
    [name].filter(({ path }) => !path.includes('$'))
    .map(({ method, path }) => ({ method, path, route: `${method} ${path}` }))

interface Known {
  readonly catalogue: Catalogue
  readonly byShape: ReadonlyMap<string, readonly Operation[]>
}

function known(name: Name): Known {
  const vendor = vendorOf(name)
  const byShape = new Map<string, Operation[]>()
  for (const operation of vendor.operations)
    for (const route of operation.routes) byShape.set(shape(route), [...(byShape.get(shape(route)) ?? []), operation])
  return { catalogue: new Catalogue(vendor), byShape }
}

describe.each(NAMES)('%s', (name) => {
  const { catalogue, byShape } = known(name)
  const rows = published(name)

  test.each([
    ['published', rows],
    ['called by the SDK', called(name)],
  ])('every operation that is %s is exactly one of ours', (_, asked) => {
    expect(asked.length).toBeGreaterThan(80)
    const wrong = asked.filter(({ method, route }) => {
      const owners = byShape.get(shape(route)) ?? []
      const path = route.slice(method.length + 1).replace(/\{[^}]*\}/g, 'x1')
      return owners.length !== 1 || catalogue.match(method, path)?.operation !== owners[0]
    })
    expect(wrong.map(({ route }) => route)).toEqual([])
  })

  test('what a list says an operation does, we say too, or why not', () => {
    const weaker = rows.flatMap((row) => {
      const [operation] = byShape.get(shape(row.route)) ?? []
      if (operation === undefined || row.effect === undefined || asStrong(operation, row)) return []
      return [`${row.route}: ${row.effect}, and ours is ${operation.effect} (${operation.id})`]
    })
    expect(weaker).toEqual([])
  })

  test('where a parameter decides what an operation does, every parameter is understood', () => {
    const open = rows.filter(({ triggers, route }) => {
      const operation = byShape.get(shape(route))?.[0]
      const silent = operation?.accepts === undefined && operation?.never === undefined
      return operation !== undefined && triggers != null && silent && !isPermitted(operation.effect)
    })
    expect(open.map(({ route, triggers }) => `${route}: ${triggers}`)).toEqual([])
  })

  test('what the vendor reads as JSON is read as JSON, and what it reads as a form as a form', () => {
    const { body: usual } = vendorOf(name)
    const misread = rows.flatMap(({ method, content_type: type, route }) => {
      const operation = byShape.get(shape(route))?.[0]
      const written = type == null || operation?.never !== undefined ? null : /json/.test(type) ? 'json' : 'form'
      // Uploads are neither; whether they are let through at all is another test's affair.
      if (operation === undefined || written === null || method === 'DELETE' || type!.startsWith('multipart/'))
        return []
      const read = operation.body ?? usual
      return read === written ? [] : [`${route}: ${type} (${operation.id})`]
    })
    expect(misread).toEqual([])
  })

  test('what another host serves goes to that host', () => {
    const vendor = vendorOf(name)
    const astray = rows.filter(({ host, route }) => {
      if (host === undefined) return false
      const operation = byShape.get(shape(route))?.[0]
      if (operation === undefined || operation.never !== undefined) return false
      const served = operation.host ?? (route.split(' ')[1]!.startsWith('/') ? vendor.hosts[0] : host)
      return served !== host || !vendor.hosts.includes(host)
    })
    expect(astray.map(({ host, route }) => `${route}: ${host}`)).toEqual([])
  })
})

const MONEY = ['moves_money_now', 'returns_money', 'spends_now', 'commits_future_money', 'spends_recurring']
const NOW = new Set(MONEY.slice(0, 3))
const LATER = new Set(MONEY.slice(3))
const PERMITTED = new Set(['changes_money_routing', 'changes_routing', 'grants_credential', 'destructive', ...LATER])
const isPermitted = (effect: Effect): boolean => (PERMITTED_ONLY as readonly Effect[]).includes(effect)

/**
 * Never weaker than the list: what the list calls money is `spend` or beyond, what it calls routing, a credential, a
 * destruction or a commitment needs a permit. Where parameters decide, `explain` adds the effect they bring.
 */
function asStrong(operation: Operation, { effect, effect_without_trigger: plain, triggers }: Row): boolean {
  if (operation.never !== undefined || operation.weaker !== undefined) return true
  if (PERMITTED.has(effect!)) return isPermitted(operation.effect) || (triggers != null && plain !== effect)
  if (NOW.has(effect!)) return ['spend', 'future_spend'].includes(operation.effect) || triggers != null
  return effect === 'harmless' || operation.effect !== 'read'
}

const WEIGHTY = new Set<Effect>(['spend', 'future_spend', 'credential', 'routing'])
const FREE: Explanation = { quote: { basis: 'free' }, subjects: {} }

/** A call of an operation that says nothing at all. */
const nothingAsked = (vendor: Vendor, { routes, body }: Operation): Question => ({
  method: routes[0].split(' ')[0]!,
  path: Object.fromEntries([...routes[0].matchAll(/\{(\w+)\}/g)].map(([, hole]) => [hole!, 'x1'])),
  params: new Form([]),
  json: (body ?? vendor.body) === 'json' ? {} : undefined,
  header: () => undefined,
  account: `AC${'a'.repeat(32)}`,
  apiVersion: '',
  rates: { convert: () => null, why: () => 'No rates are set.' },
  prices: { prefix: () => null, flat: () => null, safety: '1', why: () => 'No prices are set.' },
  nowMs: Date.parse('2026-11-24T12:00:00.000Z'),
  restricted: { customers: false, recipients: false, senders: false },
})

describe.each(NAMES)('the table of %s', (name) => {
  const { operations } = vendorOf(name)

  test('ids and routes are unique', () => {
    const twice = (all: readonly string[]): string[] => all.filter((each, i) => all.indexOf(each) !== i)
    expect(twice(operations.map(({ id }) => id))).toEqual([])
    expect(twice(operations.flatMap(({ routes }) => routes.map(shape)))).toEqual([])
  })

  test('an id says what in the words of its vendor', () => {
    expect(operations.map(({ id }) => id).filter((id) => !/^[a-z0-9_]+(\.[a-z0-9_]+)+$/.test(id))).toEqual([])
  })

  test('every operation says where its facts come from, with a date', () => {
    const silent = operations.filter(({ source }) => !/\d{4}-\d{2}-\d{2}/.test(source ?? ''))
    expect(silent.map(({ id }) => id)).toEqual([])
  })

  test('what costs, now or later, takes only parameters that are understood', () => {
    const open = operations.filter(
      ({ effect, accepts, never }) =>
        (effect === 'spend' || effect === 'future_spend') && accepts === undefined && never === undefined,
    )
    expect(open.map(({ id }) => id)).toEqual([])
  })

  test('what needs a reason to be harmless says it', () => {
    const weighty = operations.filter(({ effect, never }) => WEIGHTY.has(effect) && never === undefined)
    const silent = weighty.filter((operation) => {
      const meaning = operation.explain?.(nothingAsked(vendorOf(name), operation)) ?? FREE
      if ('lookUp' in meaning || meaning.refuse !== undefined || meaning.quote.basis !== 'free') return false
      return (operation.why ?? meaning.quote.why) === undefined
    })
    expect(silent.map(({ id, effect }) => `${id} (${effect})`)).toEqual([])
  })

  test('every sentence is one', () => {
    const sentences = operations.flatMap(({ id, why, weaker, never }) =>
      [why, weaker, never].flatMap((text) => (text === undefined ? [] : [{ id, text }])),
    )
    expect(sentences.filter(({ text }) => !/^[A-Z«'`0-9].*\.$/s.test(text))).toEqual([])
  })
})
