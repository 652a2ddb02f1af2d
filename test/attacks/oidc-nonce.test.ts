import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WayBack } from './way-back.js'

let door: WayBack
beforeAll(async () => {
  door = await WayBack.start()
})
afterAll(() => door.issuer.close())

test('an ID token of another attempt is refused', async () => {
  const { nonce: before } = await door.begin()
  for (const nonce of [before, 'x'.repeat(43), '', null]) {
    const { attempt, state } = await door.begin({ nonce })
    await door.refuses(attempt, { code: 'c1', state }, 'does not hold')
  }
  const { attempt, state } = await door.begin()
  expect(await door.enter(attempt, { code: 'c1', state })).toMatchObject({ subject: 'u-1', role: 'admin' })
})

test('the code is exchanged with the secret of this attempt alone', async () => {
  const first = await door.begin()
  const { attempt, state, challenge } = await door.begin()
  expect(challenge).not.toBe(first.challenge)
  await door.enter(attempt, { code: 'c1', state })
  const verifier = door.issuer.exchanged.at(-1)!.get('code_verifier')!
  expect(createHash('sha256').update(verifier).digest('base64url')).toBe(challenge)
})
