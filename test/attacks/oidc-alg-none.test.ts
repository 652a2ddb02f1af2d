import { createHmac, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { part, signed } from './issuer.js'
import { CLIENT_SECRET, WayBack } from './way-back.js'

let door: WayBack
beforeAll(async () => {
  door = await WayBack.start()
})
afterAll(() => door.issuer.close())

test('an ID token that is not signed by the key of the provider is refused', async () => {
  const own = door.issuer.seal
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const byHmac: typeof own = (claims) => {
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
    return `${text}.${createHmac('sha256', CLIENT_SECRET).update(text).digest('base64url')}`
  }
  const cut = (token: string): string => token.slice(0, token.lastIndexOf('.') + 1)
  const seals: (typeof own)[] = [
    (claims) => `${part({ alg: 'none' })}.${part(claims)}.`,
    (claims) => `${part({ alg: 'NONE', typ: 'JWT' })}.${part(claims)}.`,
    (claims) => cut(signed(claims)),
    (claims) => signed(claims, stranger),
    byHmac,
  ]
  for (const seal of seals) {
    const { attempt, state } = await door.begin()
    door.issuer.seal = seal
    await door.refuses(attempt, { code: 'c1', state }, 'does not hold')
  }
  door.issuer.seal = own
  const { attempt, state } = await door.begin()
  expect(await door.enter(attempt, { code: 'c1', state })).toMatchObject({ name: 'alice@example.com', role: 'admin' })
})
