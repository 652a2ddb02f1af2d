import { afterAll, beforeAll, expect, test } from 'vitest'
import { WayBack } from './way-back.js'

let door: WayBack
beforeAll(async () => {
  door = await WayBack.start()
})
afterAll(() => door.issuer.close())

test('an ID token for another client, of another issuer, or out of date is refused', async () => {
  const seconds = Math.floor(Date.now() / 1000)
  for (const claims of [
    { aud: 'another-client' },
    { aud: ['another-client', 'a-third'] },
    { aud: null },
    { iss: 'https://evil.example' },
    { iss: null },
    { exp: seconds - 3_600, iat: seconds - 7_200 },
    { exp: null },
    { sub: null },
  ]) {
    const { attempt, state } = await door.begin(claims)
    await door.refuses(attempt, { code: 'c1', state }, 'does not hold')
  }
})

test('claims that give no role sign nobody in', async () => {
  for (const groups of [[], ['Platform'], 'platform ', { platform: true }, ['viewer'], ['admin'], 7, null]) {
    const { attempt, state } = await door.begin({ groups })
    await door.refuses(attempt, { code: 'c1', state }, 'has no role here: nothing in the claim groups gives one.', 403)
  }
})

test('an address that the provider has not verified names nobody', async () => {
  for (const [email, verified] of [
    ['admin@example.com', false],
    ['admin@example.com', null],
    ['admin@example.com', 'yes'],
    ['admin@example.com\n', true],
    [{ toString: 'x' }, true],
  ] as const) {
    const { attempt, state } = await door.begin({ email, email_verified: verified })
    expect(await door.enter(attempt, { code: 'c1', state })).toMatchObject({ name: 'u-1' })
  }
})
