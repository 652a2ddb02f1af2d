import { afterAll, beforeAll, expect, test } from 'vitest'
import type { World } from '../helpers/world.js'
import { codeOf, MINUTE, pay, startWorld, travel } from '../pipeline/given.js'
import { Visitor, words, type Sheet } from './visitor.js'

/* Keys made, narrowed and ended on their pages. */

let world: World
let visitor: Visitor
let stripe: string
beforeAll(async () => {
  world = await startWorld()
  visitor = await new Visitor(world).signIn()
  stripe = (await world.credentials()).stripe
  await world.must('POST', '/policies', {
    apiVersion: 'spendgate/v1',
    name: 'refunds',
    daily_cap_usd: '50.00',
    rate_limit: { per_minute: 600 },
    vendors: {
      stripe: {
        endpoints: { allow: ['POST /v1/payment_intents'], deny: ['POST /v1/payouts'] },
        max_amount_usd: '25.00',
        customers: ['cus_A'],
      },
    },
  })
})
afterAll(() => world.close())

const form = async (): Promise<{ csrf: string; once: string }> => {
  const page = await visitor.page('/dashboard/keys/new')
  const field = (name: string): string => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)![1]!
  return { csrf: field('csrf'), once: field('once') }
}
const create = async (more: Record<string, string>): Promise<Sheet> =>
  visitor.post('/dashboard/keys/new', { ...(await form()), policy: 'refunds@1', ...more })
const secretIn = (sheet: Sheet): string => /vault_live_\w+/.exec(sheet.text)![0]
const idIn = (sheet: Sheet): string => /\/dashboard\/keys\/(key_\w+)/.exec(sheet.text)![1]!

test('a new key works and is shown once, on a page that nobody keeps', async () => {
  const sheet = await create({ name: 'refunds-bot', credentials: stripe, expires_in: '8h' })
  expect([sheet.status, sheet.headers['cache-control']]).toEqual([200, 'no-store'])
  const secret = secretIn(sheet)
  expect(sheet.text).toContain(`sk_${secret}`)
  expect((await pay(world, secret, 1200)).status).toBe(200)
  for (const path of ['/dashboard', '/dashboard/keys', `/dashboard/keys/${idIn(sheet)}`])
    expect(await visitor.page(path)).not.toContain(secret)
})

test('a second click makes no second key and shows nothing again', async () => {
  const fields = { ...(await form()), name: 'once', policy: 'refunds@1', credentials: stripe }
  const first = await visitor.post('/dashboard/keys/new', fields)
  const second = await visitor.post('/dashboard/keys/new', fields)
  expect([first.status, second.status]).toEqual([200, 303])
  expect(words(await visitor.page(second.headers.location!))).toContain('This form was sent already.')
  const { keys } = await world.must('GET', '/keys')
  expect(keys.filter((key: { name: string }) => key.name === 'once')).toHaveLength(1)
})

test('a form is answered field by field, and keeps what was written', async () => {
  const sheet = await create({ name: '', expires_in: 'soon', run: 'a b' })
  expect(sheet.status).toBe(400)
  const fault = (name: string): string => words(new RegExp(`id="${name}-fault">([^<]+)<`).exec(sheet.text)![1]!)
  expect(fault('name')).toContain('must be 1 to 128 characters')
  expect(fault('expires_in')).toContain('such as "4h"')
  expect(fault('run')).toContain('must be 1 to 64 letters')
  expect(words(sheet.text)).toContain('must name at least one credential')
  expect(sheet.text).toContain('value="soon"')
  const gone = await create({ name: 'x', credentials: 'cred_gone' })
  expect([gone.status, words(gone.text)]).toEqual([400, expect.stringContaining('There is no credential of this id')])
})

test('a key says in words what it may, and how its caps stand', async () => {
  const sheet = await create({ name: 'speaking', credentials: stripe })
  const page = words(await visitor.page(`/dashboard/keys/${idIn(sheet)}`))
  expect(page).toContain('At most USD 50.00 a day (UTC).')
  expect(page).toContain('stripe: At most USD 25.00 a call.')
  expect(page).toContain('stripe: Only these customers: cus_A.')
  expect(page).toContain('POST /v1/payment_intents , never POST /v1/payouts')
  expect(page).toContain('$0.00 of $50.00 a day (UTC)')
  expect(page).toContain('Last used never')
})

test('narrowing tightens the key at once, and never widens it', async () => {
  const sheet = await create({ name: 'narrow', credentials: stripe })
  const [secret, path] = [secretIn(sheet), `/dashboard/keys/${idIn(sheet)}/narrow`]
  expect(await visitor.does(path, { 'max-stripe': '10.00', daily_cap_usd: '20.00' })).toMatch(/^narrow is narrowed/)
  expect(codeOf(await pay(world, secret, 1001))).toBe('amount_over_limit')
  expect(await visitor.does(path, { 'max-stripe': '90.00' })).toMatch(/^narrow is narrowed/)
  expect(codeOf(await pay(world, secret, 1001))).toBe('amount_over_limit')
  expect(await visitor.does(path, { other: '{"vendors":{"stripe":{"customers":[]}}}' })).toMatch(/^narrow is narrowed/)
  expect(codeOf(await pay(world, secret, 500))).toBe('customer_not_allowed')
})

test('a narrowing that cannot be is answered at its field', async () => {
  const sheet = await create({ name: 'stubborn', credentials: stripe })
  const path = `/dashboard/keys/${idIn(sheet)}/narrow`
  const csrf = await visitor.csrf()
  for (const [fields, place, words] of [
    [{ daily_cap_usd: '-5' }, 'daily_cap_usd-fault', /./],
    [{ per_minute: 'many' }, 'per_minute-fault', /./],
    [{ 'max-stripe': '1e3' }, 'max-stripe-fault', /./],
    [{ other: '{' }, 'other-fault', /is not valid JSON/],
    [{ other: '{}', per_minute: '5' }, 'other-fault', /alone/],
  ] as const) {
    const answer = await visitor.post(path, { csrf, ...fields })
    expect(answer.status).toBe(400)
    expect(new RegExp(`id="${place}">([^<]+)<`).exec(answer.text)?.[1], JSON.stringify(fields)).toMatch(words)
  }
  expect((await visitor.post(path, { csrf })).text).toContain('Say what is to be narrowed.')
  expect((await visitor.post(path, { csrf, other: '{"name":"x"}' })).text).toContain('it belongs to its key')
})

test('an ended key cannot be narrowed, and says since when and why', async () => {
  const sheet = await create({ name: 'ended', credentials: stripe })
  const path = `/dashboard/keys/${idIn(sheet)}`
  await visitor.does(`${path}/revoke`, { reason: 'done', back: path })
  const page = await visitor.page(path)
  expect(words(page)).toMatch(/is revoked since .*: done/)
  expect(page).not.toContain('Narrow it')
  const answer = await visitor.post(`${path}/narrow`, { csrf: await visitor.csrf(), per_minute: '1' })
  expect([answer.status, words(answer.text)]).toEqual([409, expect.stringContaining('nothing is left to narrow')])
})

test('a cap says when it will be full at the pace of the calls, and no more once the key is stopped', async () => {
  const sheet = await create({ name: 'racing', credentials: stripe })
  const path = `/dashboard/keys/${idIn(sheet)}`
  const read = async (page: string): Promise<string> => words(await visitor.page(page))
  expect(await read(path)).not.toContain('at the pace of')
  for (let calls = 0; calls < 3; calls++) {
    if (calls > 0) travel(world, 10 * MINUTE)
    expect((await pay(world, secretIn(sheet), 1_000)).status).toBe(200)
  }
  // Ten dollars in ten minutes, twice, and twenty are left. The last ten may still be held.
  const sentence =
    /60 % \$[\d.]+ (?:\+ \$10\.00 held )?of \$50\.00 a day \(UTC\) full in about 20 min at the pace of the last 20 min · resets in/
  expect(await read(path)).toMatch(sentence)
  expect(await read('/dashboard')).toMatch(sentence)
  travel(world, 20 * MINUTE)
  expect(await read(path)).toMatch(/full in about 40 min at the pace of the last 40 min/)
  await world.must('POST', '/freeze', { key: idIn(sheet) })
  expect(await read(path)).not.toContain('at the pace of')
})
