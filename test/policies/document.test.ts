import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { judge } from '../../policies/index.js'

const folder = new URL('../../fixtures/policies/broken/', import.meta.url)
const header = 'apiVersion: spendgate/v1\nname: refunds\n'

const parse = (text: string): ReturnType<typeof judge.parse> => judge.parse(text, 'refunds.yaml')
const faultsOf = (text: string, file: string | null = 'refunds.yaml'): string[] => {
  const parsed = judge.parse(text, file)
  return parsed.ok ? [] : parsed.faults.map(({ at, message }) => `${at} ${message}`)
}

describe('a broken document is refused with file, line and a suggestion', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
  test.each(files)('%s', (file) => {
    const expected = readFileSync(new URL(file.replace('.yaml', '.expected'), folder), 'utf8')
      .trimEnd()
      .split('\n')
    expect(faultsOf(readFileSync(new URL(file, folder), 'utf8'), file)).toEqual(expected)
  })
})

const full = `
apiVersion: spendgate/v1
name: support-refunds
mode: enforce
daily_cap_usd: "200.00"
timezone: utc
expires_in: 4h
rate_limit: { per_minute: 30 }
budgets:
  - { per: run, cap_usd: "20" }
  - { per: day, vendor: twilio, cap_usd: 5 }
  - { per: month, cap_usd: "1000.5", scope: policy }
  - { per: day, cap_usd: "50.00", direction: out }
approval: { above_usd: "25.00", expires_in: 30m, by: operator }
require_reason: true
duplicate_guard: { within: 10m }
vendors:
  stripe:
    endpoints: { allow: ["GET /v1/charges*", "POST verify.twilio.com/v2/*", "* *"], deny: [] }
    permit: [future_spend, credential, routing, destructive, preview]
    future: { recurring_usd_per_month: 100, quantity_max: 10, bounded_only: true }
    max_amount_usd: "50.00"
    customers: [cus_A, cus_B]
    currencies: [USD, eur]
    beneficiaries: []
    connected_accounts: []
    callback_hosts: [Hooks.Acme.com, "*.acme.com"]
    recipients: ["+1415*"]
    senders: ["+14155550100"]
`

test('every field of the contract is read, and money, zones and codes leave in one spelling', () => {
  const parsed = parse(full)
  expect(parsed).toMatchObject({
    ok: true,
    name: 'support-refunds',
    document: {
      timezone: 'UTC',
      budgets: [{ cap_usd: '20.00' }, { cap_usd: '5.00' }, { cap_usd: '1000.50' }, { direction: 'out' }],
      vendors: {
        stripe: {
          currencies: ['usd', 'eur'],
          callback_hosts: ['hooks.acme.com', '*.acme.com'],
          future: { recurring_usd_per_month: '100.00', quantity_max: 10, bounded_only: true },
        },
      },
    },
  })
})

test('what is stored parses to itself, from JSON text too', () => {
  const parsed = parse(full)
  if (!parsed.ok) throw new Error('refused')
  for (const indent of [undefined, 2, '\t']) {
    const again = parse(JSON.stringify(parsed.document, null, indent))
    expect(again.ok && again.document).toEqual(parsed.document)
  }
})

test('JSON money is held to the same rule as YAML money', () => {
  const json = (cap: string): string => `{"apiVersion":"spendgate/v1","name":"refunds","daily_cap_usd":${cap}}`
  expect(parse(json('50')).ok).toBe(true)
  expect(parse(json('"0.000001"')).ok).toBe(true)
  for (const cap of [
    '50.0',
    '50.5',
    '5e1',
    '-1',
    '1e400',
    '"1e2"',
    '"-1.00"',
    '"0.0000001"',
    '"01"',
    '" 5.00"',
    'null',
    'true',
    '[]',
  ]) {
    expect(parse(json(cap)).ok, cap).toBe(false)
  }
})

test('a number too large to be exact is refused', () => {
  expect(faultsOf(`${header}daily_cap_usd: 9007199254740993\n`)).toHaveLength(1)
})

test('a key given twice in JSON is refused where it stands the second time', () => {
  expect(faultsOf('{"apiVersion":"spendgate/v1","name":"a",\n "name":"b"}', 'p.json')).toEqual([
    'p.json:2:2 the key "name" stands twice here',
  ])
})

test('a document without a file is still pointed into', () => {
  expect(faultsOf(`${header}dailycap: 1\n`, null)).toEqual([
    'policy:3:1 unknown key "dailycap". Did you mean "daily_cap_usd"?',
  ])
})

test('a document over 256 KiB is refused unread', () => {
  expect(faultsOf(`${header}# ${'x'.repeat(256 * 1024)}`)).toEqual([
    'refunds.yaml:1:1 the document is over the limit of 256 KiB',
  ])
})

test.each([
  ['[', 60_000],
  ['- ', 60_000],
  ['? ', 30_000],
  ['{a: ', 30_000],
])('nesting by %j does not bring the process down', (piece, times) => {
  expect(faultsOf(piece.repeat(times))).toEqual(['refunds.yaml:1:1 the document is nested deeper than 16 levels'])
})

test('aliases are followed a bounded number of times', () => {
  expect(parse(`${header}vendors:\n  stripe: &same { max_amount_usd: "1.00" }\n  twilio: *same\n`).ok).toBe(true)
  const bomb = Array.from(
    { length: 12 },
    (_, i) => `a${i}: &a${i} [${i === 0 ? '1' : Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`,
  ).join('\n')
  const [fault, ...others] = faultsOf(bomb)
  expect(others).toEqual([])
  expect(fault).toMatch(/more than 100 aliases/)
})

test('an anchor that stands nowhere is a fault, not an exception', () => {
  expect(faultsOf(`${header}vendors: *nowhere\n`)).toHaveLength(1)
})

test.each([
  ['{ above_usd: "25.00", by: manager }', '"manager" must be "operator" or "client": nobody else can approve'],
  ['{ above_usd: "25.00", expires_in: 31d }', 'must be at most "30d"'],
  ['{ above_usd: "25.00", expires_in: 0s }', 'must be longer than nothing'],
  ['{ expires_in: 1h }', 'missing key "above_usd"'],
  ['{ above_usd: "25.00", above: 1 }', 'unknown key "above". Did you mean "above_usd"?'],
])('approval: %s is refused', (text, sentence) => {
  const faults = faultsOf(`${header}approval: ${text}\n`)
  expect(faults).toHaveLength(1)
  expect(faults[0]).toContain(sentence)
})

describe('a narrowing', () => {
  const faults = (patch: unknown): string[] => {
    const checked = judge.parseNarrowing(patch)
    return checked.ok ? [] : checked.faults.map(({ path, message }) => `${path}: ${message}`)
  }
  test('may hold any part that can tighten', () => {
    const checked = judge.parseNarrowing({
      daily_cap_usd: '5',
      mode: 'enforce',
      vendors: { stripe: { max_amount_usd: 1, customers: [] } },
    })
    expect(checked).toEqual({
      ok: true,
      patch: { daily_cap_usd: '5.00', mode: 'enforce', vendors: { stripe: { max_amount_usd: '1.00', customers: [] } } },
    })
  })
  test('cannot say what would loosen or rename', () => {
    expect(faults({ name: 'x' })).toEqual(['name: a narrowing has no "name": it belongs to its key'])
    expect(faults({ timezone: 'UTC' })).toEqual([
      'timezone: a narrowing cannot change "timezone": another day would begin with nothing spent',
    ])
    expect(faults({ mode: 'observe' })).toEqual(['mode: a narrowing can only set mode to "enforce"'])
  })
  test('is refused for floats, unknown keys and names that hide', () => {
    expect(faults({ daily_cap_usd: 0.5 })).toEqual([
      'daily_cap_usd: 0.5 is a float. Money is quoted text: write "0.50"',
    ])
    expect(faults({ daily_cap: '1' })).toEqual(['daily_cap: unknown key "daily_cap". Did you mean "daily_cap_usd"?'])
    expect(faults(JSON.parse('{"vendors":{"__proto__":{"customers":[]}}}'))).toEqual([
      'vendors: "__proto__" is not a vendor name',
    ])
    expect(faults(JSON.parse('{"__proto__":{"daily_cap_usd":"1.00"}}'))).toHaveLength(1)
  })
  test.each([null, 5, 'x', [], undefined])('is a map, not %j', (patch) => {
    expect(faults(patch)).toHaveLength(1)
  })
})
