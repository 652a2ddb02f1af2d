import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { callIdOf, codeOf, HOUR, pay, payment, startWorld, travel } from '../pipeline/given.js'
import { noticeIn, Visitor, words } from './visitor.js'

/* What the pages say, to somebody without scripts. */

let world: World
let visitor: Visitor
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  visitor = await new Visitor(world).signIn()
  key = await world.key({
    daily_cap_usd: '100.00',
    approval: { above_usd: '40.00' },
    vendors: { stripe: { endpoints: { allow: ['* *'] }, customers: ['cus_A'], max_amount_usd: '60.00' } },
  })
})
afterAll(() => world.close())

const read = async (path: string): Promise<string> => words(await visitor.page(`/dashboard${path}`))
/** What was dear to find out, on a busy machine, is remembered for a moment. */
const SOON = { timeout: 10_000 }
const inRun = (run: string): Record<string, string> => ({ 'x-agent-run-id': run })
const waitingId = async (): Promise<string> =>
  (await world.must('GET', '/approvals?state=open')).approvals[0].id as string

describe('Now', () => {
  test('an empty book is a whole page', async () => {
    const page = await read('')
    expect(page).toContain('Maximum possible loss right now $100.00 $100.00 left of caps')
    expect(page).toContain('Spent today $0.00 0 calls since 00:00 UTC')
    expect(page).toContain('No call yet')
  })

  test('spent, denied and what is left of the caps are the ledger’s own sums', async () => {
    expect((await pay(world, key.key, 1250, inRun('run_now'))).status).toBe(200)
    expect(codeOf(await pay(world, key.key, 6100, inRun('run_now')))).toBe('amount_over_limit')
    await expect.poll(() => read(''), SOON).toContain('Maximum possible loss right now $87.50 $87.50 left of caps')
    const page = await read('')
    expect(page).toContain('Spent today $12.50 2 calls since 00:00 UTC')
    expect(page).toContain('Denied today 1')
    expect(page).toContain('$12.50 of $100.00 a day (UTC)')
    expect(page).toContain('12 %')
    expect(page).toMatch(/Latest denials .* amount_over_limit/)
  })

  test('a key without a cap over everything has no largest loss, and is named', async () => {
    const id = (await world.credentials()).stripe
    await world.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: 'unbounded',
      vendors: { stripe: { endpoints: { allow: ['GET *'] } } },
    })
    const free = await world.must('POST', '/keys', { name: 'reader', policy: 'unbounded', credentials: [id] })
    await expect.poll(() => read(''), SOON).toContain('Maximum possible loss right now No limit')
    expect(await read('')).toContain('Nothing bounds reader : give each policy a cap over everything.')
    await world.must('POST', `/keys/${free.id}/revoke`)
    await expect.poll(() => read(''), SOON).toContain('Maximum possible loss right now $87.50')
  })

  test('freezing says so on every screen until it is lifted, and a reason of two lines is refused', async () => {
    const refused = await visitor.post('/dashboard/freeze', { csrf: await visitor.csrf(), reason: 'a\nb' })
    expect(refused.status).toBe(400)
    expect(words(refused.text)).toContain('reason: must be at most 500 characters on one line')
    expect(await visitor.does('/dashboard/freeze', { reason: 'night & fog <b>' })).toMatch(/^Everything is frozen/)
    for (const path of ['', '/runs', '/calls', '/approvals']) {
      const page = await visitor.page(`/dashboard${path}`)
      expect(words(page)).toMatch(
        /Everything is frozen since .*: night &amp; fog|Everything is frozen since .*: night & fog/,
      )
      expect(page).not.toContain('<b>')
    }
    expect(codeOf(await pay(world, key.key, 100))).toBe('key_frozen')
    expect(await visitor.does('/dashboard/unfreeze')).toMatch(/^Everything is unfrozen/)
    expect((await pay(world, key.key, 100)).status).toBe(200)
    expect(await read('')).not.toContain('Everything is frozen since')
  })

  test('a notice is said once', async () => {
    await visitor.does('/dashboard/unfreeze')
    expect(noticeIn(await visitor.page('/dashboard'))).toBe('')
  })
})

describe('Runs', () => {
  test('a run is listed with its sums and opens as its calls with what they came to', async () => {
    await pay(world, key.key, 500, inRun('run_sums'))
    await pay(world, key.key, 700, inRun('run_sums'))
    await pay(world, key.key, 9900, inRun('run_sums'))
    expect(await read('/runs')).toMatch(/run_sums agent-1 \$12\.00 – 3 1 /)
    const page = await visitor.page('/dashboard/runs/run_sums')
    expect(words(page)).toContain('3 calls, newest first')
    const steps = JSON.parse(/data-points="([^"]+)"/.exec(page)![1]!.replaceAll('&quot;', '"')) as (number | null)[][]
    expect(steps[1]).toEqual([0, 5, 12, 12])
    expect(steps[2]).toEqual([null, null, null, 12])
    expect([...page.matchAll(/data-label="in all">\s*([^<]+)</g)].map(([, text]) => text!.trim())).toEqual([
      '$12.00',
      '$12.00',
      '$5.00',
    ])
  })

  test('a run is frozen and let go by its button', async () => {
    expect(await visitor.does('/dashboard/runs/run_sums/freeze', { key: key.id })).toBe('The run run_sums is frozen.')
    expect(codeOf(await pay(world, key.key, 100, inRun('run_sums')))).toBe('key_frozen')
    expect((await pay(world, key.key, 100, inRun('run_other'))).status).toBe(200)
    expect(await visitor.does('/dashboard/runs/run_sums/unfreeze')).toBe('The run run_sums is unfrozen.')
    expect((await pay(world, key.key, 100, inRun('run_sums'))).status).toBe(200)
  })

  test('a key revoked from its run is told so, a second click gives the same answer, and no page leads elsewhere', async () => {
    const other = await world.key()
    await pay(world, other.key, 100, inRun('run_end'))
    // Reports wait for what was settled; before, the call may still be under way.
    await world.spent('run_end')
    const path = `/dashboard/keys/${other.id}/revoke`
    const back = `/dashboard/runs/run_end?key=${other.id}`
    expect(await visitor.does(path, { reason: 'loop', back })).toMatch(/is revoked\. Nothing was under way\.$/)
    expect(await visitor.does(path, { back })).toMatch(/is revoked/)
    expect(codeOf(await pay(world, other.key, 100, inRun('run_end')))).toBe('key_revoked')
    expect(await read(`/runs/run_end?key=${other.id}`)).toMatch(/is revoked since .*: loop/)
    const sheet = await visitor.post(path, { csrf: await visitor.csrf(), back: 'https://evil.example' })
    expect(sheet.headers.location).toBe('/dashboard')
  })

  test('what is not there is a sentence', async () => {
    for (const [path, sentence] of [
      ['/runs/run_nowhere', 'There is no such run.'],
      ['/calls/call_nowhere', 'There is no such call.'],
      ['/approvals/appr_nowhere', 'There is no such request for approval.'],
      ['/nowhere', 'There is no such page.'],
    ] as const) {
      const sheet = await visitor.get(`/dashboard${path}`)
      expect([sheet.status, words(sheet.text)]).toEqual([404, expect.stringContaining(sentence)])
    }
    const sheet = await visitor.post('/dashboard/keys/key_gone/revoke', { csrf: await visitor.csrf() })
    expect([sheet.status, words(sheet.text)]).toEqual([404, expect.stringContaining('There is no such key.')])
  })
})

describe('Calls', () => {
  test('filters by decision, vendor, key and run together', async () => {
    const all = await visitor.page('/dashboard/calls')
    const rowsIn = (page: string): number => page.match(/<td class="when">/g)?.length ?? 0
    const known = await world.calls()
    expect(rowsIn(all)).toBe(known.length)
    const filter = `state=denied&vendor=stripe&key=${key.id}&run=run_sums`
    expect(rowsIn(await visitor.page(`/dashboard/calls?${filter}`))).toBe(
      known.filter((call) => call.state === 'denied' && call.key_id === key.id && call.run === 'run_sums').length,
    )
    expect(await read('/calls?vendor=twilio')).toContain('No call fits.')
    expect(await read('/calls?state=nonsense&cursor=evil&run=%22%3E%3Cscript%3E')).toContain('No call fits.')
  })

  test('pages follow one another without a gap', async () => {
    for (let i = 0; i < 55; i++)
      await world.call(key.key, 'GET', '/stripe/v1/customers/cus_A', undefined, inRun('run_many'))
    const first = await visitor.page('/dashboard/calls?run=run_many')
    const link = /href="([^"]+)">Earlier calls/.exec(first)![1]!.replaceAll('&amp;', '&')
    const second = await visitor.page(link)
    const ids = (page: string): string[] => [...page.matchAll(/calls\/(call_\w+)"/g)].map(([, id]) => id!)
    const seen = [...ids(first), ...ids(second)]
    expect(seen).toHaveLength(new Set(seen).size)
    expect(seen).toEqual((await world.calls('&run=run_many')).map((call) => call.id))
  })

  test('one call tells the rule, the money, the vendor’s answer and its entries in the chain', async () => {
    const passed = await read(`/calls/${callIdOf(await pay(world, key.key, 321, inRun('run_one')))}`)
    expect(passed).toContain('Done Done, and counted as spent.')
    expect(passed).toContain('Quoted $3.21')
    expect(passed).toContain('Counted as spent $3.21')
    expect(passed).toMatch(/Status 200 .* Request id req_\w+/)
    expect(passed).toMatch(/In the audit chain .* reserved \$3\.21 .* settled \$3\.21/)

    const refused = await read(`/calls/${callIdOf(await pay(world, key.key, 9900, inRun('run_one')))}`)
    expect(refused).toContain('Denied amount_over_limit It was refused. Nothing was sent.')
    expect(refused).toContain('USD 99.00 is over the limit of USD 60.00')
    expect(refused).toContain('The rule that spoke: max-amount')
    expect(refused).toContain('Status not asked')
  })

  test('what an agent wrote is text, whatever it is', async () => {
    const answer = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(5000), {
      'x-agent-reason': '<img src=x onerror=alert(1)> & more',
      ...inRun('run_words'),
    })
    const page = await visitor.page(`/dashboard/calls/${callIdOf(answer)}`)
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt; &amp; more')
    expect(page).not.toContain('<img')
    await visitor.does(`/dashboard/approvals/${await waitingId()}`, { decision: 'denied' })
  })
})

describe('Approvals', () => {
  test('a refusal’s link leads to the request; the yes lets it pass once; a second click changes nothing', async () => {
    const refused = await pay(world, key.key, 4500, inRun('run_ask'))
    expect(codeOf(refused)).toBe('approval_required')
    const link = /https?:\/\/[^/]+(\/approvals\/appr_\w+)/.exec(refused.body.error.message)![1]!
    const { headers } = await visitor.get(link)
    const page = words(await visitor.page(headers.location!))
    expect(page).toContain('$45.00 stripe payment_intents.create')
    expect(page).toContain('Customer cus_A')
    expect(await read('')).toContain('Waiting for approval 1')
    expect(words(await visitor.page(`/dashboard/calls/${callIdOf(refused)}`))).toContain('Decide on it')

    const path = `/dashboard/approvals/${await waitingId()}`
    expect(await visitor.does(path, { decision: 'approved', reason: 'known' })).toMatch(/^Approved: .* passes once\.$/)
    expect(await visitor.does(path, { decision: 'approved' })).toMatch(/^Approved/)
    const other = await visitor.post(path, { csrf: await visitor.csrf(), decision: 'denied' })
    expect(other.status).toBe(409)
    expect(words(other.text)).toContain('That is not how it stands')

    expect((await pay(world, key.key, 4500, inRun('run_ask'))).status).toBe(200)
    expect(await read('/approvals')).toMatch(/Approved and used .* by admin : known/)
    const spent = await visitor.post(path, { csrf: await visitor.csrf(), decision: 'approved' })
    expect([303, 409]).toContain(spent.status)
    expect(spent.text).not.toMatch(/at .*\.ts:\d+/)
    expect(codeOf(await pay(world, key.key, 4500, inRun('run_ask')))).not.toBeNull()
  })

  test('a form that names no decision denies', async () => {
    travel(world, 24 * HOUR)
    await visitor.signIn()
    expect(codeOf(await pay(world, key.key, 4400))).toBe('approval_required')
    expect(await visitor.does(`/dashboard/approvals/${await waitingId()}`)).toMatch(/^Denied/)
    expect(codeOf(await pay(world, key.key, 4400))).toBe('approval_required')
  })
})
