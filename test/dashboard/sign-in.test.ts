import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { World, REAL } from '../helpers/world.js'
import { Visitor, words } from './visitor.js'

let world: World
beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.close())

const SCREENS = ['', '/runs', '/calls', '/approvals', '/keys', '/keys/new', '/policies', '/vendors', '/audit'].map(
  (path) => `/dashboard${path}`,
)
const linkPath = (): string => {
  const { pathname, search } = new URL(world.server.signInUrl())
  return pathname + search
}

describe('signing in', () => {
  test('without a session every screen leads to the door and shows nothing', async () => {
    for (const path of SCREENS) {
      const sheet = await new Visitor(world).get(path)
      expect([sheet.status, sheet.headers.location]).toEqual([303, `/dashboard/sign-in?to=${encodeURIComponent(path)}`])
      expect(sheet.text).toBe('')
    }
    expect((await new Visitor(world).get('/dashboard/stream')).status).toBe(401)
    expect((await new Visitor(world).get('/dashboard/audit/export')).status).toBe(303)
    expect((await new Visitor(world).get('/')).headers.location).toBe('/dashboard')
  })

  test('a link opens once, and its cookie is for this site and no script', async () => {
    const path = linkPath()
    const visitor = new Visitor(world)
    const sheet = await visitor.get(path)
    expect([sheet.status, sheet.headers.location]).toEqual([303, '/dashboard'])
    expect(sheet.headers['set-cookie']).toEqual([
      expect.stringMatching(/^spendgate_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ])
    expect(await visitor.page('/dashboard')).toContain('Maximum possible loss')

    const again = await new Visitor(world).get(path)
    expect(again.status).toBe(401)
    expect(words(again.text)).toContain('This link was used before, or is older than ten minutes.')
    expect(again.headers['set-cookie']).toBeUndefined()
  })

  test('a link that nobody used for ten minutes opens nothing', async () => {
    const path = linkPath()
    world.clock.aheadMs += 10 * 60_000
    expect((await new Visitor(world).get(path)).status).toBe(401)
  })

  test('the admin token opens, and leads to the page that was asked for, of ours only', async () => {
    const visitor = new Visitor(world)
    const own = await visitor.post('/dashboard/sign-in', { token: REAL.admin, to: '/dashboard/calls?state=denied' })
    expect(own.headers.location).toBe('/dashboard/calls?state=denied')
    for (const to of [
      'https://evil.example/',
      '//evil.example/',
      '/dashboard\\evil',
      '/admin/v1/keys',
      '/dashboard/sign-out',
    ]) {
      const sheet = await new Visitor(world).post('/dashboard/sign-in', { token: REAL.admin, to })
      expect(sheet.headers.location).toBe('/dashboard')
    }
  })

  test('a vault key is refused at the door and on every page, and nothing is counted against the operator', async () => {
    const { key } = await world.key()
    const visitor = new Visitor(world)
    const atDoor = await visitor.post('/dashboard/sign-in', { token: key })
    expect(atDoor.status).toBe(401)
    expect(words(atDoor.text)).toContain('This is a vault key.')
    expect(atDoor.text).not.toContain(key)
    for (const headers of [{ authorization: `Bearer ${key}` }, { cookie: `spendgate=${key}` }]) {
      const sheet = await visitor.get('/dashboard', headers)
      expect(sheet.status).toBe(401)
      expect(words(sheet.text)).toContain('A vault key opens nothing here')
    }
    await visitor.signIn()
    expect((await visitor.get('/dashboard', { authorization: `Bearer ${key}` })).status).toBe(401)
  })

  test('a session ends an hour after the last page, or twelve after the first', async () => {
    const visitor = await new Visitor(world).signIn()
    for (let hours = 0; hours < 12; hours += 0.75) {
      expect((await visitor.get('/dashboard/approvals')).status).toBe(200)
      world.clock.aheadMs += 0.75 * 3_600_000
    }
    expect((await visitor.get('/dashboard/approvals')).status).toBe(303)

    const idle = await new Visitor(world).signIn()
    world.clock.aheadMs += 30 * 60_000
    // A page that refreshes itself is nobody who looks.
    expect((await idle.get('/dashboard/approvals', { 'x-refresh': '1' })).status).toBe(200)
    world.clock.aheadMs += 30 * 60_000
    expect((await idle.get('/dashboard/approvals', { 'x-refresh': '1' })).status).toBe(401)
    expect((await idle.get('/dashboard/approvals')).status).toBe(303)
  })

  test('signing out ends the session, and a form without its token does not', async () => {
    const visitor = await new Visitor(world).signIn()
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const csrf = await visitor.csrf()
    await visitor.post('/dashboard/sign-out', {})
    expect((await new Visitor(world).get('/dashboard/approvals', { cookie })).status).toBe(200)
    await new Visitor(world).post('/dashboard/sign-out', { csrf }, { cookie })
    expect((await new Visitor(world).get('/dashboard/approvals', { cookie })).status).toBe(303)
  })

  test('after five wrong tokens a short one waits, and the real one still opens', async () => {
    const own = await World.start()
    const visitor = new Visitor(own)
    for (let tries = 0; tries < 5; tries++)
      expect((await visitor.post('/dashboard/sign-in', { token: `wrong-${tries}` })).status).toBe(401)
    const sixth = await visitor.post('/dashboard/sign-in', { token: 'wrong-5' })
    expect(sixth.status).toBe(429)
    expect(Number(sixth.headers['retry-after'])).toBeGreaterThan(0)
    expect(words(sixth.text)).toMatch(/Try again in \d+ s/)
    // The same count stands for the API and for links.
    expect((await visitor.get('/dashboard/sign-in?token=short')).status).toBe(429)
    expect((await own.metrics()).status).toBe(200)
    await visitor.signIn()
    await own.close()
  })
})

describe('what other sites and strangers get', () => {
  const FREEZE = '/dashboard/freeze'
  const frozen = async (): Promise<number> => (await world.must('GET', '/freezes')).freezes.length

  test('a form of another site is refused, whatever token it has', async () => {
    const visitor = await new Visitor(world).signIn()
    const csrf = await visitor.csrf()
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: visitor.origin.replace('http:', 'https:').replace(/:\d+$/, ':1') },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      expect((await visitor.post(FREEZE, { csrf }, headers)).status).toBe(403)
    expect(await frozen()).toBe(0)
  })

  test('a name that was bound to this address anew is refused on every page', async () => {
    const visitor = await new Visitor(world).signIn()
    for (const path of [...SCREENS, '/dashboard/sign-in', '/dashboard/stream', '/'])
      expect((await visitor.get(path, { host: 'rebound.example' })).status).toBe(403)
    expect((await visitor.post(FREEZE, { csrf: await visitor.csrf() }, { host: 'rebound.example' })).status).toBe(403)
    expect(await frozen()).toBe(0)
  })

  test('a form without the token of its session does nothing', async () => {
    const visitor = await new Visitor(world).signIn()
    const other = await new Visitor(world).signIn()
    for (const fields of [{}, { csrf: '' }, { csrf: 'x'.repeat(43) }, { csrf: await other.csrf() }]) {
      const sheet = await visitor.post(FREEZE, fields as Record<string, string>)
      expect(sheet.status).toBe(403)
      expect(words(sheet.text)).toContain('Nothing was done. Load the page again and repeat it.')
    }
    expect(await frozen()).toBe(0)
  })

  test('a form of a session that is over leads to the door and does nothing', async () => {
    const visitor = await new Visitor(world).signIn()
    const csrf = await visitor.csrf()
    world.clock.aheadMs += 3_600_000
    const sheet = await visitor.post(FREEZE, { csrf })
    expect([sheet.status, sheet.headers.location]).toEqual([303, '/dashboard/sign-in?over=yes'])
    expect(words(await visitor.page(sheet.headers.location!))).toContain(
      'The session is over. If you sent a form, nothing was done.',
    )
    expect(await frozen()).toBe(0)
  })

  test('a link from another site shows nothing, and offers to go on', async () => {
    const visitor = await new Visitor(world).signIn()
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    const sheet = await visitor.get('/approvals/appr_x', headers)
    expect(sheet.status).toBe(403)
    expect(sheet.text).toContain('href="/approvals/appr_x"')
    expect((await visitor.get('/approvals/appr_x')).headers.location).toBe('/dashboard/approvals/appr_x')
  })

  test('every reply forbids what it does not need', async () => {
    const visitor = await new Visitor(world).signIn()
    const asset = /href="(\/dashboard\/assets\/[^"]+style\.css)"/.exec(await visitor.page('/dashboard'))![1]!
    for (const path of [...SCREENS, '/dashboard/sign-in', '/dashboard/nowhere', '/approvals/x', asset]) {
      const { headers } = await visitor.get(path)
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      )
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['x-frame-options']).toBe('DENY')
      expect(headers['cache-control']).toMatch(path === asset ? /^private/ : /^no-store$/)
    }
  })

  test('pages hold no script and no style of their own', async () => {
    const visitor = await new Visitor(world).signIn()
    for (const path of SCREENS) {
      const page = await visitor.page(path)
      expect(page.match(/<script(?![^>]*\ssrc=)/g)).toBeNull()
      expect(page.match(/<style|\sstyle=|\son\w+=/g)).toBeNull()
    }
  })
})
