import { afterAll, beforeAll, expect, test } from 'vitest'
import { WayBack } from './way-back.js'

let door: WayBack
beforeAll(async () => {
  door = await WayBack.start()
})
afterAll(() => door.issuer.close())

const NOT_BEGUN = 'This sign-in was not begun in this browser'

test('a way back answers once, and never in another browser', async () => {
  const { attempt, state } = await door.begin()
  for (const other of [undefined, '', 'x'.repeat(43), (await door.begin()).attempt.slice(1)])
    await door.refuses(other, { code: 'c1', state }, NOT_BEGUN)
  const { nonce } = await door.begin()
  expect(door.issuer.exchanged).toEqual([])

  const own = await door.begin()
  expect(own.nonce).not.toBe(nonce)
  expect(await door.enter(own.attempt, { code: 'c1', state: own.state })).toMatchObject({ name: 'alice@example.com' })
  // Somebody saw the address afterwards, and even has what the browser kept.
  await door.refuses(own.attempt, { code: 'c1', state: own.state }, NOT_BEGUN)
  expect(door.issuer.exchanged).toHaveLength(1)
  expect(attempt).not.toBe(own.attempt)
})

test('another state, or none, is refused, and spends the attempt', async () => {
  for (const query of [{ state: 'x'.repeat(43) }, { state: '' }, {}] as Record<string, string>[]) {
    const { attempt, state } = await door.begin()
    await door.refuses(attempt, { code: 'c1', ...query }, 'does not hold')
    await door.refuses(attempt, { code: 'c1', state }, NOT_BEGUN)
  }
})

test('a code of the attacker’s own attempt signs no victim in', async () => {
  const { state: attackers } = await door.begin()
  const { attempt } = await door.begin()
  await door.refuses(attempt, { code: 'of the attacker', state: attackers }, 'does not hold')
})

test('no parameter may stand twice', async () => {
  const before = door.issuer.exchanged.length
  for (const twice of ['code=c1&code=c2&state=STATE', 'code=c1&state=STATE&state=STATE']) {
    const { attempt, state } = await door.begin()
    await door.refuses(attempt, `?${twice.replaceAll('STATE', state)}`, 'does not hold')
  }
  expect(door.issuer.exchanged).toHaveLength(before)
})
