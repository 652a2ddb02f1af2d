import { describe, expect, test } from 'vitest'
import { Catalogue } from '../../src/catalogue.js'
import type { Operation, Vendor } from '../../src/contracts/vendor.js'
import { vendors } from '../../vendors/index.js'

const of = (routes: Readonly<Record<string, readonly string[]>>): Catalogue => {
  const operations = Object.entries(routes).map(
    ([id, each]) => ({ id, routes: each, effect: 'read' }) as unknown as Operation,
  )
  return new Catalogue({ ...vendors[0]!, operations } as Vendor)
}
const found = (catalogue: Catalogue, route: string): unknown => {
  const [method, path] = route.split(' ') as [string, string]
  const match = catalogue.match(method, path)
  return match && [match.operation.id, match.params]
}

describe('a route', () => {
  const catalogue = of({
    list: ['GET /v1/things'],
    get: ['GET /v1/things/{id}'],
    search: ['GET /v1/things/search'],
    part: ['GET /v1/things/{id}/parts/{part}'],
    draft: ['POST /v1/things/draft/parts'],
    parts: ['POST /v1/things/{id}/parts'],
    json: ['GET /v1/files/{Sid}.json'],
    text: ['GET /v1/files/{Sid}'],
    rows: ['GET /v1/files/{Sid}.json/rows'],
    pages: ['GET /v1/files/{Name}/pages/{Page}'],
    other: ['GET other.host/v1/things'],
  })

  test.each<[string, unknown]>([
    ['GET /v1/things', ['list', {}]],
    ['GET /v1/things/a', ['get', { id: 'a' }]],
    ['GET /v1/things/search', ['search', {}]],
    ['GET /v1/things/search/parts/1', ['part', { id: 'search', part: '1' }]],
    ['GET /v1/things/a/parts/b', ['part', { id: 'a', part: 'b' }]],
    ['POST /v1/things/draft/parts', ['draft', {}]],
    ['POST /v1/things/drafts/parts', ['parts', { id: 'drafts' }]],
    ['GET /v1/files/a.json', ['json', { Sid: 'a' }]],
    ['GET /v1/files/a', ['text', { Sid: 'a' }]],
    ['GET /v1/files/.json', ['text', { Sid: '.json' }]],
    ['GET /v1/files/a.json.json', ['json', { Sid: 'a.json' }]],
    ['GET /v1/files/a.json/rows', ['rows', { Sid: 'a' }]],
    // The first placeholder fits and leads nowhere; what it held must not stay behind.
    ['GET /v1/files/a.json/pages/2', ['pages', { Name: 'a.json', Page: '2' }]],
    ['GET other.host/v1/things', ['other', {}]],
    ['POST /v1/things', null],
    ['get /v1/things', null],
    ['GET /v1/things/', null],
    ['GET /v1/Things', null],
    ['GET /v1/things/a/parts', null],
    ['GET /v1', null],
    ['GET /', null],
    ['GET ', null],
    ['GET v1/things', null],
    ['GET other.host.evil/v1/things', null],
    ['GET /other.host/v1/things', null],
    ['__proto__ /v1/things', null],
    ['GET /v1/__proto__', null],
    ['GET /v1/constructor', null],
  ])('%s', (route, expected) => {
    expect(found(catalogue, route)).toEqual(expected)
  })

  test('that two operations have is a bug, whatever they call its placeholders', () => {
    expect(() => of({ one: ['GET /v1/{a}'], two: ['GET /v1/{b}'] })).toThrow(/two operations have the route/)
  })
})

describe('aliases', () => {
  const catalogue = of({
    refund: ['POST /v1/refunds', 'POST /v1/charges/{charge}/refund', 'POST /v1/charges/{charge}/refunds'],
    one: ['GET /v1/one'],
  })

  test('are every other route, with the ids the request fills in', () => {
    expect(catalogue.match('POST', '/v1/refunds')!.aliases).toEqual([
      'POST /v1/charges/{charge}/refund',
      'POST /v1/charges/{charge}/refunds',
    ])
    expect(catalogue.match('POST', '/v1/charges/ch_1/refund')!.aliases).toEqual([
      'POST /v1/refunds',
      'POST /v1/charges/ch_1/refunds',
    ])
    expect(catalogue.match('GET', '/v1/one')!.aliases).toEqual([])
  })

  test('take an id by the letter, whatever it looks like', () => {
    expect(catalogue.match('POST', '/v1/charges/$&{charge}/refund')!.aliases).toEqual([
      'POST /v1/refunds',
      'POST /v1/charges/$&{charge}/refunds',
    ])
  })
})

describe("every vendor's table", () => {
  test.each(vendors.map((vendor) => [vendor.name, vendor] as const))(
    '%s: each route leads to its own operation, with its own ids',
    (_, vendor) => {
      const catalogue = new Catalogue(vendor)
      for (const operation of vendor.operations) {
        for (const route of operation.routes) {
          const names = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
          const filled = route.replace(/\{(\w+)\}/g, (_hole, name: string) => `id_${name}1`)
          const [method, path] = filled.split(' ') as [string, string]
          const match = catalogue.match(method, path)
          expect([route, match?.operation.id]).toEqual([route, operation.id])
          expect(match!.params).toEqual(Object.fromEntries(names.map((name) => [name, `id_${name}1`])))
          expect(match!.aliases).toHaveLength(operation.routes.length - 1)
        }
      }
    },
  )

  test.each(vendors.map((vendor) => [vendor.name, vendor] as const))(
    '%s: routes are canonical paths on hosts it calls',
    (_, vendor) => {
      for (const { id, routes } of vendor.operations) {
        for (const route of routes) {
          const [, host, path] = /^(?:GET|POST|PUT|PATCH|DELETE) ([^/]*)(\/\S*)$/.exec(route) ?? []
          expect([id, path !== undefined && (host === '' || vendor.hosts.includes(host!))]).toEqual([id, true])
          expect(path).toMatch(/^(\/[A-Za-z0-9_{}.-]+)+$/)
        }
      }
    },
  )

  test.each(vendors.map((vendor) => [vendor.name, vendor] as const))(
    '%s: what moves money knows all its parameters',
    (_, vendor) => {
      for (const operation of vendor.operations) {
        if (operation.effect === 'spend' || operation.effect === 'future_spend')
          expect([operation.id, Array.isArray(operation.accepts)]).toEqual([operation.id, true])
      }
    },
  )
})
