import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Role } from '../../src/contracts/operator.js'
import { World } from '../helpers/world.js'
import { findChromium, launch } from './browser.js'
import { People } from './people.js'
import { Visitor, words } from './visitor.js'

const executable = findChromium()
if (executable === null)
  process.stderr.write('test/dashboard/oidc.test.ts: one test skipped, no chromium or google-chrome on PATH.\n')

let world: World
let people: People
beforeAll(async () => {
  people = await People.start()
  people.known.set('u-frida', { email: 'frida@example.com', groups: ['finance'] })
  people.known.set('u-olaf', { email: 'olaf@example.com', groups: ['finance', 'oncall'] })
  people.known.set('u-pia', { email: 'pia@example.com', groups: 'platform' })
  people.known.set('u-nobody', { email: 'nobody@example.com', groups: ['sales'] })
  people.known.set('u-unverified', { email: 'pia@example.com', email_verified: false, groups: ['finance'] })
  world = await World.start(people.env)
  people.serve(world, true)
})
afterAll(async () => {
  await world.close()
  await people.close()
})

const PERSONS: readonly (readonly [id: string, name: string, role: Role])[] = [
  ['u-frida', 'oidc:frida@example.com', 'viewer'],
  ['u-olaf', 'oidc:olaf@example.com', 'approver'],
  ['u-pia', 'oidc:pia@example.com', 'admin'],
]

const entered = async (id: string): Promise<Visitor> => {
  const visitor = new Visitor(world)
  const sheet = await people.signIn(visitor, id)
  expect(sheet.status, words(sheet.text)).toBe(200)
  return visitor
}
const actors = async (): Promise<string[]> =>
  (await world.admin('GET', '/audit/export')).text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse((JSON.parse(line) as { detail: string }).detail) as { actor?: string }).actor ?? '')

describe('signing in at a provider', () => {
  test('the form offers it, and each person comes in with the role that their groups give', async () => {
    expect(await new Visitor(world).page('/dashboard/sign-in')).toContain(
      'href="/dashboard/oidc/begin?to=%2Fdashboard"',
    )
    for (const [id, name, role] of PERSONS) {
      const visitor = new Visitor(world)
      const sheet = await people.signIn(visitor, id, '/dashboard/keys')
      expect(words(sheet.text)).toContain(`You are ${name} .`)
      // Not a redirect: a cookie that is for this site alone would not come along.
      expect(sheet.text).toContain('<meta http-equiv="refresh" content="0; url=/dashboard/keys"')
      expect(words(await visitor.page('/dashboard/keys'))).toContain(`${name} (${role})`)
    }
  })

  test('a viewer sees, an approver stops, an admin does everything, each under an id of their own', async () => {
    const { id } = await world.key()
    const [viewer, approver, admin] = [await entered('u-frida'), await entered('u-olaf'), await entered('u-pia')]
    const narrow = { daily_cap_usd: '1.00' }
    const refused = async (visitor: Visitor, path: string, fields: object = {}): Promise<void> => {
      const sheet = await visitor.post(path, { csrf: await visitor.csrf(), ...fields })
      expect([sheet.status, words(sheet.text).includes('This needs the role')]).toEqual([403, true])
    }
    await refused(viewer, '/dashboard/freeze')
    await refused(viewer, `/dashboard/keys/${id}/revoke`)
    await refused(approver, `/dashboard/keys/${id}/narrow`, narrow)
    await admin.does(`/dashboard/keys/${id}/narrow`, narrow)
    await approver.does(`/dashboard/keys/${id}/revoke`, { reason: 'enough' })
    const all = (await world.must('GET', '/operators')).operators as { id: string; name: string; kind: string }[]
    const idOf = (name: string): string => all.find((each) => each.name === name && each.kind === 'person')!.id
    expect((await actors()).slice(-2)).toEqual([idOf('pia@example.com'), idOf('olaf@example.com')])
    expect((await world.admin('GET', '/audit/export')).text).not.toContain('@example.com')
  })

  test.runIf(executable !== null)(
    'a browser comes back from another site with a session that is for this one alone',
    async () => {
      people.present = 'u-olaf'
      const browser = await launch(executable!)
      const page = await browser.newPage()
      await page.goto(`${world.server.adminUrl}/dashboard/keys`)
      await page.click('text=Sign in at')
      await page.waitForURL('**/dashboard/keys')
      expect(await page.textContent('header')).toContain('oidc:olaf@example.com (approver)')
      await browser.close()
    },
  )

  test('who has none of the groups is told so and is nobody, and an unverified address names nobody', async () => {
    const nobody = new Visitor(world)
    const sheet = await people.signIn(nobody, 'u-nobody')
    expect(sheet.status).toBe(403)
    expect(words(sheet.text)).toContain('nobody@example.com has no role here: nothing in the claim groups gives one.')
    expect((await nobody.get('/dashboard')).status).toBe(303)
    const visitor = await entered('u-unverified')
    expect(words(await visitor.page('/dashboard/keys'))).toContain('oidc:u-unverified (viewer)')
  })

  test('who declines at the provider is told, and can begin again', async () => {
    const visitor = new Visitor(world)
    const sheet = await people.signIn(visitor, '')
    expect([sheet.status, words(sheet.text).includes('refused the sign-in (access_denied)')]).toEqual([401, true])
    expect((await people.signIn(visitor, 'u-frida')).status).toBe(200)
  })

  test('another role at the provider ends what the earlier one opened, and comes with the next sign-in', async () => {
    const before = await entered('u-frida')
    people.known.set('u-frida', { email: 'frida@example.com', groups: ['oncall'] })
    expect((await before.get('/dashboard/keys')).status).toBe(200)
    const after = await entered('u-frida')
    expect(words(await after.page('/dashboard/keys'))).toContain('oidc:frida@example.com (approver)')
    expect((await before.get('/dashboard/keys')).status).toBe(303)
  })

  test('signing out ends the session here', async () => {
    const visitor = await entered('u-olaf')
    const cookies = new Map(visitor.cookies)
    await visitor.post('/dashboard/sign-out', { csrf: await visitor.csrf() })
    for (const [name, value] of cookies) visitor.cookies.set(name, value)
    expect((await visitor.get('/dashboard')).status).toBe(303)
  })

  test('a session of a person ends after twelve hours, or one without a look', async () => {
    const visitor = await entered('u-olaf')
    world.clock.aheadMs += 3_600_000
    expect((await visitor.get('/dashboard/keys')).status).toBe(303)
  })

  test('a person who was revoked is out at once and for good, until somebody readmits them; then the name can be erased', async () => {
    const visitor = await entered('u-pia')
    const { operators } = await world.must('GET', '/operators')
    const { id } = operators.find((each: { name: string }) => each.name === 'pia@example.com')
    const erase = async (): Promise<any> => world.must('POST', '/audit/erase', { subject: 'pia@example.com' })
    if (process.env.SPENDGATE_TEST_POSTGRES === undefined)
      expect((await erase()).kept).toEqual([`The operator ${id} may still act: revoke it first.`])
    await world.admin('DELETE', `/operators/${id}`)
    expect((await visitor.get('/dashboard')).status).toBe(303)
    const again = await people.signIn(visitor, 'u-pia')
    expect([again.status, words(again.text).includes('was shut out here by an admin')]).toEqual([403, true])
    await world.must('POST', `/operators/${id}/readmit`, {})
    expect((await people.signIn(visitor, 'u-pia')).status).toBe(200)
    await world.admin('DELETE', `/operators/${id}`)
    if (process.env.SPENDGATE_TEST_POSTGRES === undefined) {
      expect(await erase()).toMatchObject({ kept: [] })
      expect((await world.admin('GET', '/operators')).text).not.toContain('pia@example.com')
    }
    expect(await world.verified()).toEqual([])
  })

  test('a provider that puts everything into the ID token is understood as well, after a restart too', async () => {
    await world.server.stop()
    await world.serve()
    people.serve(world, false)
    const visitor = await entered('u-olaf')
    expect(words(await visitor.page('/dashboard/keys'))).toContain('oidc:olaf@example.com (approver)')
  })

  test('a provider out of reach is said at the door, where a token still opens', async () => {
    await people.close()
    await world.server.stop()
    await world.serve()
    const visitor = new Visitor(world)
    const sheet = await visitor.get('/dashboard/oidc/begin')
    expect(sheet.status).toBe(503)
    expect(words(sheet.text)).toContain('could not be asked for a sign-in. Sign in with a token meanwhile')
    await visitor.signIn()
    expect(world.files().includes('CANARYoidcClientSecret')).toBe(false)
  })
})
