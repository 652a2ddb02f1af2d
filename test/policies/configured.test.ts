import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import { parseForm, type Form } from '../../src/wire/form.js'
import { compile } from '../../policies/compile.js'
import { placeOf } from '../../policies/configured.js'
import { judge } from '../../policies/index.js'
import { saidIn } from '../../vendors/http/said.js'
import type { Json } from '../../src/contracts/vendor.js'

const document = (block: object): object => ({ apiVersion: 'spendgate/v1', name: 'p', vendors: { acme: block } })
const parsed = (block: object, vendor = 'acme') =>
  judge.parse(JSON.stringify({ apiVersion: 'spendgate/v1', name: 'p', vendors: { [vendor]: block } }), null)
const blockOf = (block: object, narrowings: object[] = []) =>
  compile(document(block), 1, narrowings).vendors.get('acme')!

describe('conditions', () => {
  const judged = (condition: object, json: Json | undefined, form = ''): string | null => {
    const [only] = blockOf({ conditions: [{ endpoint: 'POST /x', ...condition }] }).conditions
    const values = saidIn({ params: parseForm(form) as Form, json }).at(only!.place)
    return values === null ? 'unreadable' : only!.fault(values)
  }

  test.each<[string, object, Json, string | null]>([
    ['a value of the list', { field: 'model', one_of: ['small'] }, { model: 'small' }, null],
    ['another one', { field: 'model', one_of: ['small'] }, { model: 'large' }, 'is "large", which is none of small'],
    ['a pattern', { field: 'model', one_of: ['gpt-*-mini'] }, { model: 'gpt-5-mini' }, null],
    ['a number as a word', { field: 'n', one_of: [1, true] }, { n: 1 }, null],
    ['nothing there', { field: 'model', one_of: ['small'] }, {}, 'is missing'],
    ['nothing there, optional', { field: 'model', one_of: ['small'], optional: true }, {}, null],
    ['null is a word', { field: 'model', one_of: ['small'], optional: true }, { model: null }, 'is "null"'],
    ['each of a list', { field: 'labels', one_of: ['a'] }, { labels: ['a', 'b'] }, 'is "b"'],
    ['an empty list is nothing', { field: 'labels', one_of: ['a'] }, { labels: [] }, 'is missing'],
    ['one place of a list', { field: 'labels[0]', one_of: ['a'] }, { labels: ['a', 'b'] }, null],
    ['inside each', { field: 'to[*].mail', one_of: ['a@*'] }, { to: [{ mail: 'a@x' }, { mail: 'b@x' }] }, 'is "b@x"'],
    ['missing inside one', { field: 'to[*].mail', one_of: ['a@*'] }, { to: [{ mail: 'a@x' }, {}] }, 'is missing'],
    ['a map for a value', { field: 'model', one_of: ['*'] }, { model: { name: 'small' } }, 'unreadable'],
    ['a value for a map', { field: 'a.b', one_of: ['*'] }, { a: 'b' }, 'unreadable'],
    ['a list for a map', { field: 'a.b', one_of: ['*'] }, { a: [{ b: 1 }] }, 'unreadable'],
    ['a list for the whole', { field: 'model', one_of: ['*'] }, [{ model: 'small' }], 'unreadable'],
    [
      'another spelling beside it',
      { field: 'model', one_of: ['small'] },
      { model: 'small', Model: 'large' },
      'unreadable',
    ],
    ['another spelling alone', { field: 'model', one_of: ['small'], optional: true }, { MODEL: 'large' }, 'unreadable'],
    ['a long s', { field: 'user', one_of: ['a'], optional: true }, { uſer: 'b' }, 'unreadable'],
    ['a Kelvin sign', { field: 'key', one_of: ['a'], optional: true }, { '\u212aey': 'b' }, 'unreadable'],
    ['a name that JavaScript knows', { field: 'toString', one_of: ['a'] }, {}, 'is missing'],
    ['at most', { field: 'n', at_most: '10' }, { n: 10 }, null],
    ['more', { field: 'n', at_most: '10' }, { n: 10.5 }, 'is 10.5, over the limit of 10'],
    ['less', { field: 'n', at_least: '0' }, { n: -1 }, 'is -1, under the limit of 0'],
    ['a number as text', { field: 'n', at_most: '10' }, { n: '9' }, null],
    ['no plain number', { field: 'n', at_most: '10' }, { n: '0x1' }, 'no plain number'],
    ['absent', { field: 'secret', absent: true }, { open: 1 }, null],
    ['not absent', { field: 'secret', absent: true }, { secret: 1 }, 'must not be there'],
  ])('%s', (_, condition, json, expected) => {
    const fault = judged(condition, json)
    if (expected === null) expect(fault).toBeNull()
    else expect(fault).toContain(expected)
  })

  test.each([
    ['a=1', 'a', '1', null],
    ['a[b]=1', 'a.b', '1', null],
    ['a[b]=1', 'a[b]', '1', null],
    ['a[]=1&a[]=2', 'a', '1', 'is "2"'],
    ['a[0][n]=1&a[1][n]=2', 'a[*].n', '1', 'is "2"'],
    ['a[0][n]=1&a[1][n]=2', 'a[0].n', '1', null],
    ['a.b=1&a_b=2', 'a_b', '2', 'unreadable'],
    ['A=1', 'a', '1', 'unreadable'],
  ])('the form %s at %s', (form, field, word, expected) => {
    const fault = judged({ field, one_of: [word] }, undefined, form)
    if (expected === null) expect(fault).toBeNull()
    else expect(fault).toContain(expected)
  })

  test('of a narrowing are asked as well, and concern their endpoint alone', () => {
    const [own, narrowed] = blockOf({ conditions: [{ endpoint: 'POST /a*', field: 'x', one_of: ['1'] }] }, [
      { vendors: { acme: { conditions: [{ endpoint: '* *', field: 'y', absent: true }] } } },
    ]).conditions
    expect([own!.concerns('POST /ab'), own!.concerns('GET /ab'), narrowed!.concerns('GET /z')]).toEqual([
      true,
      false,
      true,
    ])
    expect(narrowed!.at).toBe('narrowings[0].vendors.acme.conditions[0]')
  })

  test('what denies, asks or costs holds in any case of letters, and what allows is exact', () => {
    const block = blockOf({
      endpoints: { allow: ['GET /repos/*'], deny: ['* /repos/acme/Secret*'] },
      conditions: [{ endpoint: 'POST /Chat', field: 'x', absent: true }],
      cost_usd: { 'POST /chat': '0.05', '* *': '0.00' },
    })
    expect([block.denies('GET /repos/Acme/secret'), block.denies('GET /repos/acme/app')]).toEqual([true, false])
    expect([block.allows('GET /Repos/acme'), block.allows('GET /repos/Acme')]).toEqual([false, true])
    expect(block.conditions[0]!.concerns('POST /chat')).toBe(true)
    expect(formatUsd(block.costs.of('POST /CHAT')!)).toBe('0.05')
  })

  test('names with dots stand in brackets', () => {
    expect(placeOf('labels[*].name')).toEqual(['labels', '*', 'name'])
    expect(placeOf('metadata[a.b].c[0]')).toEqual(['metadata', 'a.b', 'c', '0'])
  })
})

describe('costs', () => {
  test('one for all, or the dearest that is said of an endpoint', () => {
    const cost = (said: unknown, endpoint: string): string | null => {
      const amount = blockOf({ cost_usd: said }).costs.of(endpoint)
      return amount === null ? null : formatUsd(amount)
    }
    expect(cost('0.5', 'GET /x')).toBe('0.50')
    const table = { 'POST *': '0.00', 'POST /chat': '0.05', '* /chat': '0.01' }
    expect([
      cost(table, 'POST /x'),
      cost(table, 'POST /chat'),
      cost(table, 'GET /chat'),
      cost(table, 'GET /x'),
    ]).toEqual(['0.00', '0.05', '0.01', null])
  })

  test('from the reply: where, of which calls, and what one of it costs', () => {
    const { from, bound } = blockOf({
      max_amount_usd: '1',
      cost_from: { field: 'usage.total_tokens', usd_each: '0.000002', endpoints: ['POST /chat'] },
    }).costs
    expect(from).toMatchObject({ place: ['usage', 'total_tokens'], usdEach: '0.000002' })
    expect([from!.concerns('POST /chat'), from!.concerns('POST /other'), formatUsd(bound!)]).toEqual([
      true,
      false,
      '1.00',
    ])
  })
})

describe('a fault names its place', () => {
  test.each<[object, string, RegExp]>([
    [{ cost_usd: 0.02 }, 'vendors.acme.cost_usd', /decimal text|0\.02/],
    [{ cost_usd: { 'GET x': '1' } }, 'vendors.acme.cost_usd.GET x', /path that starts with/],
    [{ cost_usd: { 'GET /x': '-1' } }, 'vendors.acme.cost_usd.GET /x', /negative/],
    [{ cost_from: 'usage cost' }, 'vendors.acme.cost_from', /place of a field/],
    [{ cost_from: { field: 'a', each: '1' } }, 'vendors.acme.cost_from', /each/],
    [{ conditions: [{ endpoint: 'POST /x', field: 'a' }] }, 'vendors.acme.conditions[0]', /must say what holds/],
    [
      { conditions: [{ endpoint: 'POST /x', field: 'a', oneof: ['b'] }] },
      'vendors.acme.conditions[0].oneof',
      /Did you mean "one_of"/,
    ],
    [
      { conditions: [{ endpoint: 'POST /x', field: 'a', at_most: 'ten' }] },
      'vendors.acme.conditions[0].at_most',
      /plain decimal/,
    ],
    [
      { conditions: [{ endpoint: 'POST /x', field: 'a', absent: true, one_of: ['b'] }] },
      'vendors.acme.conditions[0]',
      /nothing else/,
    ],
  ])('%j', (block, path, sentence) => {
    const result = parsed(block)
    expect(result.ok).toBe(false)
    if (result.ok) return
    expect(result.faults.map((fault) => fault.path)).toContain(path)
    expect(result.faults.map(({ message }) => message).join()).toMatch(sentence)
  })

  test('nothing of it is for vendors with a catalogue, and a narrowing says no costs', () => {
    const stripe = parsed({ cost_usd: '0.01' }, 'stripe')
    expect(stripe.ok ? '' : stripe.faults[0]).toMatchObject({ path: 'vendors.stripe.cost_usd' })
    const narrowed = judge.parseNarrowing({ vendors: { acme: { cost_usd: '0.00' } } })
    expect(narrowed.ok ? '' : narrowed.faults[0]!.message).toContain('a narrowing cannot say "cost_usd"')
  })

  test('a stored document reads as it was written', () => {
    const block = {
      conditions: [{ endpoint: 'POST /x', field: 'n', one_of: ['1'] }],
      cost_usd: { 'POST /x': '0.02' },
      cost_from: 'a.b',
    }
    const result = parsed(block)
    expect(result.ok && (result.document as { vendors: { acme: object } }).vendors.acme).toEqual(block)
  })
})
