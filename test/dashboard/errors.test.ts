import { afterAll, beforeAll, expect, test } from 'vitest'
import type { World } from '../helpers/world.js'
import { codeOf, HOUR, pay, startWorld, travel } from '../pipeline/given.js'
import { noticeIn, Visitor, words, type Sheet } from './visitor.js'

/* Whatever goes wrong on a page is a sentence, and never what the server thought. */

let world: World
let visitor: Visitor
beforeAll(async () => {
  world = await startWorld()
  visitor = await new Visitor(world).signIn()
})
afterAll(() => world.close())

/** What only a developer would understand. */
const INNER =
  /\bat [\w./<>]+ ?\(|\.[jt]sx?:\d+|node_modules|\b(?:Type|Reference|Range|Ledger)?(?:Error|Fault|Conflict):|undefined|\[object/
const told = (sheet: Sheet): [number, string] => {
  expect(sheet.text).not.toMatch(INNER)
  return [sheet.status, words(sheet.text)]
}

test('what is gone, or never was, is named', async () => {
  const csrf = await visitor.csrf()
  for (const [path, fields, sentence] of [
    ['/keys/key_gone/revoke', {}, 'There is no such key.'],
    ['/keys/key_gone/narrow', { per_minute: '1' }, 'There is no such key.'],
    ['/runs/run_gone/freeze', {}, 'There is no such run.'],
    ['/approvals/appr_gone', { decision: 'approved' }, 'There is no such request for approval.'],
    ['/policies/gone/try', { version: '1', path: '/' }, 'There is no such policy'],
    ['/policies/gone/simulate', { version: '1' }, 'There is no such policy'],
    ['/nowhere', {}, 'There is no such page.'],
  ] as const)
    expect(told(await visitor.post(`/dashboard${path}`, { csrf, ...fields })), path).toEqual([
      404,
      expect.stringContaining(sentence),
    ])
  for (const path of ['/keys/key_gone', '/runs/run_gone', '/calls/call_gone', '/policies/gone', '/approvals/appr_gone'])
    expect(told(await visitor.get(`/dashboard${path}`)), path).toEqual([404, expect.stringMatching(/There is no such/)])
  // An address that nobody writes by hand.
  for (const path of ['/runs/%00', '/keys/%E0%A4%A', '/calls?cursor=%FF', '/runs?cursor=x', '/keys?cursor=x'])
    expect([200, 400, 404], path).toContain(told(await visitor.get(`/dashboard${path}`))[0])
})

test('a form that is none is refused in a sentence', async () => {
  const csrf = await visitor.csrf()
  const form = { 'content-type': 'application/x-www-form-urlencoded', origin: visitor.origin }
  const freeze = '/dashboard/freeze'
  const json = { 'content-type': 'application/json', origin: visitor.origin }
  expect(told(await visitor.ask('POST', freeze, json, '{}'))).toEqual([
    415,
    expect.stringContaining('Send the form as its page does.'),
  ])
  const twice = await visitor.ask('POST', freeze, form, `csrf=${csrf}&reason=a&reason=b`)
  expect(told(twice)).toEqual([400, expect.stringContaining('reason: stands twice')])
  const many = await visitor.ask('POST', freeze, form, `csrf=${csrf}${'&x=1'.repeat(101)}`)
  expect(told(many)).toEqual([400, expect.stringContaining('The form has more than 100 fields.')])
  const large = await visitor.ask('POST', freeze, form, `csrf=${csrf}&reason=${'x'.repeat(300_000)}`)
  expect(told(large)).toEqual([413, expect.stringContaining('The form is over the limit')])
  expect((await world.must('GET', '/freezes')).freezes).toEqual([])
})

test('a second click on an approval that is spent, denied or over says how it stands', async () => {
  const key = await world.key({ approval: { above_usd: '10.00' } })
  const ask = async (minor: number): Promise<string> => {
    expect(codeOf(await pay(world, key.key, minor))).toBe('approval_required')
    return `/dashboard/approvals/${(await world.must('GET', '/approvals?state=open')).approvals[0].id}`
  }
  const click = async (path: string, decision: string): Promise<[number, string]> => {
    const sheet = await visitor.post(path, { csrf: await visitor.csrf(), decision })
    return sheet.status === 303 ? [303, noticeIn(await visitor.page(sheet.headers.location!))] : told(sheet)
  }
  const spent = await ask(1_100)
  expect(await click(spent, 'approved')).toEqual([303, expect.stringMatching(/^Approved: .* passes once\.$/)])
  expect((await pay(world, key.key, 1_100)).status).toBe(200)
  const [status, sentence] = await click(spent, 'approved')
  expect(sentence).not.toMatch(/passes once/)
  expect([status, sentence]).toEqual([expect.any(Number), expect.stringMatching(/Nothing passes a second time|used/)])
  expect(await click(spent, 'denied')).toEqual([409, expect.stringContaining('That is not how it stands')])

  const denied = await ask(1_200)
  expect(await click(denied, 'denied')).toEqual([303, expect.stringMatching(/^Denied/)])
  expect(await click(denied, 'approved')).toEqual([409, expect.stringContaining('That is not how it stands')])

  const late = await ask(1_300)
  travel(world, 25 * HOUR)
  await visitor.signIn()
  expect(await click(late, 'approved')).toEqual([409, expect.stringMatching(/expired/)])
  expect(words(await visitor.page(late))).toContain('Expired')
})

test('a session that is over says so, and what was sent is not done', async () => {
  const late = await new Visitor(world).signIn()
  const csrf = await late.csrf()
  travel(world, 13 * HOUR)
  const sent = await late.post('/dashboard/freeze', { csrf })
  expect([sent.status, sent.headers.location]).toEqual([303, '/dashboard/sign-in?over=yes'])
  expect(words(await late.page(sent.headers.location!))).toContain('The session is over.')
  const asked = await late.get('/dashboard/runs')
  expect(asked.headers.location).toBe('/dashboard/sign-in?to=%2Fdashboard%2Fruns&over=yes')
  expect((await world.must('GET', '/freezes')).freezes).toEqual([])
  // Who was never here is told nothing of sessions.
  expect((await new Visitor(world).get('/dashboard/runs')).headers.location).toBe(
    '/dashboard/sign-in?to=%2Fdashboard%2Fruns',
  )
})
