import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectSomebody, FrontDoor } from './front-door.js'

let door: FrontDoor
beforeAll(async () => {
  door = await FrontDoor.start()
})
afterAll(() => door.close())

test('a session that somebody put into the browser before is not the one that signing in opens', async () => {
  const name = `spendgate_${new URL(door.server.adminUrl).port}`
  const attacker = door.visitor()
  await expectSomebody(
    attacker,
    await door.comeBack(attacker, { code: 'c1', state: (await door.begin(attacker)).state }),
  )
  const planted = [attacker.cookies.get(name)!, 'A'.repeat(43)]
  for (const value of planted) {
    const victim = door.visitor()
    victim.cookies.set(name, value)
    const { state } = await door.begin(victim)
    door.issuer.claims = { ...door.issuer.claims, sub: 'u-2', email: 'victim@example.com' }
    await expectSomebody(victim, await door.comeBack(victim, { code: 'c2', state }))
    expect(victim.cookies.get(name)).not.toBe(value)
    expect(await victim.page('/dashboard/approvals')).toContain('oidc:victim@example.com')
  }
  expect(await attacker.page('/dashboard/approvals')).toContain('oidc:alice@example.com')
})

test('the session’s cookie is for this site alone, that of the attempt comes along on the way back, and neither is for scripts', async () => {
  const visitor = door.visitor()
  const begun = await visitor.get('/dashboard/oidc/begin')
  expect(begun.headers['set-cookie']).toEqual([
    expect.stringMatching(/^spendgate_\d+_oidc=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/),
  ])
  const query = new URL(begun.headers.location!).searchParams
  door.issuer.claims = { nonce: query.get('nonce') }
  const back = await door.comeBack(visitor, { code: 'c1', state: query.get('state')! })
  expect(back.headers['set-cookie']).toEqual([
    expect.stringMatching(/^spendgate_\d+_oidc=; Max-Age=0; Path=\//),
    expect.stringMatching(/^spendgate_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
  ])
  expect(back.headers['content-security-policy']).toMatch(/^default-src 'none'/)
})
