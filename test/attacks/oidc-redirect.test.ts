import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectSomebody, FrontDoor } from './front-door.js'

let door: FrontDoor
beforeAll(async () => {
  door = await FrontDoor.start()
})
afterAll(() => door.close())

test('the provider is told the registered way back, whatever the request says', async () => {
  const visitor = door.visitor()
  const registered = `${door.server.adminUrl}/dashboard/oidc/return`
  for (const headers of [
    { host: 'gate.example' },
    { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    { forwarded: 'host=evil.example' },
  ] as Record<string, string>[]) {
    const { redirectUri, state } = await door.begin(visitor, headers)
    expect(redirectUri).toBe(registered)
    await door.comeBack(visitor, { code: 'c1', state, redirect_uri: 'https://evil.example/' }, headers)
    expect(door.issuer.exchanged.at(-1)!.getAll('redirect_uri')).toEqual([registered])
  }
})

test('a host that is not served gets neither a way there nor one back', async () => {
  const visitor = door.visitor()
  const { state } = await door.begin(visitor)
  const strange = { host: 'rebound.example' }
  expect((await visitor.get('/dashboard/oidc/begin', strange)).status).toBe(403)
  expect((await door.comeBack(visitor, { code: 'c1', state }, strange)).status).toBe(403)
  await expectSomebody(visitor, await door.comeBack(visitor, { code: 'c1', state }))
})

test('another site’s page does not begin a sign-in, and may send nothing but the way back', async () => {
  const visitor = door.visitor()
  const foreign = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  expect((await visitor.get('/dashboard/oidc/begin', foreign)).status).toBe(403)
  expect((await visitor.post('/dashboard/oidc/return', {}, { origin: 'https://evil.example' })).status).toBe(403)
  expect((await visitor.get('/dashboard/approvals', foreign)).status).toBe(403)
})

test('signing in leads to pages of ours only', async () => {
  for (const to of [
    'https://evil.example/',
    '//evil.example',
    '/dashboard/sign-out',
    '/admin/v1/keys',
    '/dashboard"><x',
  ]) {
    const visitor = door.visitor()
    const sheet = await visitor.get(`/dashboard/oidc/begin?to=${encodeURIComponent(to)}`)
    const query = new URL(sheet.headers.location!).searchParams
    door.issuer.claims = { nonce: query.get('nonce') }
    const back = await door.comeBack(visitor, { code: 'c1', state: query.get('state')! })
    expect(back.text).toContain('content="0; url=/dashboard"')
    expect(back.text).not.toContain('evil')
  }
})
