import { afterAll, beforeAll, expect, test } from 'vitest'
import { WayBack } from './way-back.js'

/*
 * A provider that lets people write any address into their profile, and tells one thing in the ID token and another at
 * its userinfo endpoint: who is named by an address is not to be named by somebody else’s.
 */

let way: WayBack
beforeAll(async () => {
  way = await WayBack.start()
  way.issuer.told = {}
})
afterAll(() => way.issuer.close())

const MINE = { email: 'mallory@example.com', email_verified: true }

test.each([
  ['of nobody’s verifying', { email_verified: false }, null],
  ['that says nothing of verifying', { email_verified: null }, null],
  ['verified in words that mean nothing', { email_verified: 'yes' }, null],
  ['that is several', { email: ['alice@example.com'], email_verified: true }, null],
  ['that holds a line end', { email: 'alice@example.com\nroot', email_verified: true }, null],
  ['whose verifying is told of another one', { groups: null, email_verified: null }, MINE],
  ['whose verifying is signed without one', { email: null, groups: null }, { email: 'alice@example.com' }],
] as const)('an address %s names nobody', async (_what, claims, told) => {
  way.issuer.told = { groups: ['platform'], ...told }
  const { attempt, state } = await way.begin(claims)
  expect(await way.enter(attempt, { code: 'c1', state })).toMatchObject({ subject: 'u-1', name: 'u-1', role: 'admin' })
})

test('an address and its verifying are taken from the endpoint together', async () => {
  way.issuer.told = MINE
  const { attempt, state } = await way.begin({ email: null, email_verified: false })
  expect((await way.enter(attempt, { code: 'c1', state })).name).toBe('mallory@example.com')
})

test('the provider’s own id of somebody brings no control characters to a terminal', async () => {
  way.issuer.told = {}
  const { attempt, state } = await way.begin({ sub: 'u\u001b[2J\u202e7', email: null })
  expect(await way.enter(attempt, { code: 'c1', state })).toMatchObject({
    subject: 'u\u001b[2J\u202e7',
    name: 'u·[2J·7',
  })
})

test.each([
  ['a text that lists them', 'finance,platform'],
  ['a list within a list', [['platform']]],
  ['an object with the name', { platform: true }],
  ['a number', 1],
  ['the name in other letters', 'Platform'],
  ['a name that every object has', 'constructor'],
])('a group told as %s gives no role', async (_what, groups) => {
  const { attempt, state } = await way.begin({ groups })
  await way.refuses(attempt, { code: 'c1', state }, 'has no role here', 403)
})
