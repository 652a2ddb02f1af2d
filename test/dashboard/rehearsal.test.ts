import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { MINUTE, pay, startWorld, travel } from '../pipeline/given.js'
import { Visitor, words, type Sheet } from './visitor.js'

/* What a policy would say, asked on its page: to a request that nobody makes, and to calls that were made. */

let world: World
let visitor: Visitor
let key: IssuedKey
let csrf: string
beforeAll(async () => {
  world = await startWorld()
  visitor = await new Visitor(world).signIn()
  key = await world.key({
    daily_cap_usd: '100.00',
    vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents'] }, max_amount_usd: '60.00' } },
  })
  csrf = await visitor.csrf()
})
afterAll(() => world.close())

const send = (form: 'try' | 'simulate', fields: Record<string, string>): Promise<Sheet> =>
  visitor.post(`/dashboard/policies/policy-1/${form}`, { csrf, version: '1', ...fields })
const request = { vendor: 'stripe', method: 'POST', path: '/v1/payment_intents' }
const amount = (minor: number): Record<string, string> => ({
  ...request,
  parameters: `amount=${minor}\ncurrency = usd\n\nconfirm=true\npayment_method=pm_card_visa`,
})
/** The words of what came of it. */
const outcome = (sheet: Sheet): string =>
  words(
    /<div class="outcome[^"]*" role="status">(.*?)<form method="post" action="\/dashboard\/policies/s.exec(
      sheet.text,
    )?.[1] ?? sheet.text,
  )
/** The field as the page holds it. */
const document = (sheet: Sheet): string =>
  /<textarea id="field-document"[^>]*>([^<]*)</.exec(sheet.text)![1]!.replaceAll('&quot;', '"')

describe('a request', () => {
  test('that passes is told with its price, and nothing is sent or written', async () => {
    const [seen, rows] = [world.stripe.requests.length, (await world.calls()).length]
    const sheet = await send('try', amount(2_500))
    expect(sheet.status).toBe(200)
    expect(outcome(sheet)).toContain('Allowed')
    expect(outcome(sheet)).toContain('Price $25.00')
    expect(outcome(sheet)).toContain('Operation payment_intents.create')
    expect(sheet.text).toContain('amount=2500\ncurrency = usd')
    expect([world.stripe.requests.length, (await world.calls()).length]).toEqual([seen, rows])
  })

  test('that does not is told by code, rule and sentence', async () => {
    const over = outcome(await send('try', amount(6_100)))
    expect(over).toContain('Denied amount_over_limit')
    expect(over).toContain('USD 61.00 is over the limit of USD 60.00')
    const spent = outcome(await send('try', { ...amount(2_500), spent: '90' }))
    expect(spent).toContain('Denied daily_cap_exceeded')
    const other = outcome(await send('try', { ...request, method: 'GET', path: '/v1/charges' }))
    expect(other).toContain('Denied operation_not_allowed')
  })

  test('is asked of a draft as well, which is stored nowhere', async () => {
    const stored = document(await send('try', amount(6_100)))
    const draft = stored.replace('60.00', '70.00')
    const sheet = await send('try', { ...amount(6_100), document: draft })
    expect(outcome(sheet)).toContain('Allowed')
    expect(outcome(await send('try', { ...amount(7_100), document: draft }))).toContain('(policy policy-1@draft, ')
    expect(document(sheet)).toBe(draft.trim())
    expect((await world.must('GET', '/policies/policy-1/versions')).versions).toHaveLength(1)
  })

  test.each([
    [{ path: 'v1/refunds' }, 'path-fault', /must begin with a slash/],
    [{ parameters: 'amount' }, 'parameters-fault', /«amount» is not name=value/],
    [{ parameters: 'a=1\na=2' }, 'parameters-fault', /a stands twice/],
    [{ parameters: '{"a":' }, 'parameters-fault', /is not valid JSON/],
    [{ spent: '-1' }, 'spent-fault', /must be an amount/],
  ])('with a fault is answered at its field: %o', async (fields, place, sentence) => {
    const sheet = await send('try', { ...amount(100), ...fields })
    expect(sheet.status).toBe(400)
    expect(new RegExp(`id="${place}">([^<]+)<`).exec(sheet.text)?.[1]).toMatch(sentence)
  })

  test('of a draft that is none is answered with its line', async () => {
    const sheet = await send('try', { ...amount(100), document: 'apiVersion: spendgate/v1\nname: x\ndailycap: 5\n' })
    expect(sheet.status).toBe(400)
    expect(words(/<div class="fault" role="alert">(.*?)<\/div>/s.exec(sheet.text)![1]!)).toMatch(
      /^The document, line 3: .*daily_cap/,
    )
  })
})

describe('calls of the past', () => {
  test('played under a tighter draft name what would be refused, by rule and in dollars', async () => {
    for (const minor of [4_000, 1_000, 500]) expect((await pay(world, key.key, minor)).status).toBe(200)
    await world.must('GET', '/runs')
    travel(world, 30 * MINUTE)
    const same = outcome(await send('simulate', { span: '7d' }))
    expect(same).toContain('Would be refused now 0 calls')
    expect(same).toContain('Admitted then 3 calls, $55.00')

    const draft = document(await send('try', amount(1))).replace('60.00', '20.00')
    const tighter = outcome(await send('simulate', { span: '7d', document: draft }))
    expect(tighter).toContain('Would be refused now 1 call, $40.00')
    expect(tighter).toContain('Admitted now 2 calls, $15.00')
    expect(tighter).toMatch(/amount_over_limit \( max-amount \(policy-1@draft\) \): 1 call, \$40\.00/)
    expect(tighter).toMatch(/\$40\.00 stripe POST \/v1\/payment_intents allowed amount_over_limit/)
    expect(tighter).toMatch(/15 % \$15\.00 of \$100\.00 a day \(UTC\)/)
  })

  test('of a key or a run that is not there are a sentence at the field', async () => {
    const sheet = await send('simulate', { key: 'key_gone', run: 'run_gone' })
    expect(sheet.status).toBe(400)
    expect(/id="key-fault">([^<]+)</.exec(sheet.text)?.[1]).toBe('There is no key of this id.')
    expect(/id="run-fault">([^<]+)</.exec(sheet.text)?.[1]).toBe('There is no such run.')
  })
})

test('a form without the token of its session, or of a version that is not there, does nothing', async () => {
  expect((await send('try', { ...amount(100), csrf: 'x' })).status).toBe(403)
  const sheet = await send('simulate', { version: '9' })
  expect([sheet.status, words(sheet.text)]).toEqual([404, expect.stringContaining('no such version')])
})
