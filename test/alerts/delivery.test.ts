import { Resend } from 'resend'
import { afterEach, expect, test } from 'vitest'
import { alertOf } from '../../src/alerts/alert.js'
import { receiversIn, signingKeyIn } from '../../src/alerts/receivers.js'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { done, reply, SECOND } from '../ledger/book.js'
import { Desk, SECRET } from './desk.js'
import type { Heard } from './receiver.js'

let desk: Desk
afterEach(async () => desk?.close())

const tell = (about: string): void =>
  desk.alerts.tell(
    alertOf({
      kind: 'table.stale',
      about,
      at: desk.clock.now(),
      quietMs: 60_000,
      message: `${about} <!channel> & so on`,
      facts: { about },
    }),
  )

test('a delivery verifies with the package of somebody else, and no longer when a byte is changed', async () => {
  desk = await Desk.open()
  // That package goes by its own clock.
  desk.clock.at = Date.now()
  tell('rates')
  await desk.alerts.look()
  const [{ headers, text, body }] = desk.receiver.heard as [Heard]
  const verify = (payload: string, more: Record<string, string> = {}): unknown =>
    new Resend('re_none').webhooks.verify({
      payload,
      headers: {
        id: headers['webhook-id'] as string,
        timestamp: headers['webhook-timestamp'] as string,
        signature: headers['webhook-signature'] as string,
        ...more,
      },
      webhookSecret: SECRET,
    })
  expect(() => verify(`${text} `)).toThrow()
  expect(() => verify(text, { id: 'msg_another' })).toThrow()
  expect(() => verify(text, { timestamp: String(Number(headers['webhook-timestamp']) + 1) })).toThrow()
  expect(verify(text)).toEqual(body)
  expect(headers['webhook-id']).toMatch(/^msg_[\w-]{27}$/)
  expect(body).toMatchObject({ type: 'table.stale', data: { about: 'rates' } })
})

test('Slack is spoken to in its own shape, and mentions nobody', async () => {
  desk = await Desk.open((origin) => `${origin}/services/T/B?format=slack`)
  tell('rates')
  await desk.alerts.look()
  expect(desk.receiver.heard).toMatchObject([
    {
      path: '/services/T/B',
      body: { text: 'spendgate table.stale: rates &lt;!channel&gt; &amp; so on', unfurl_links: false },
    },
  ])
  expect(desk.receiver.heard[0]!.headers['webhook-signature']).toBeUndefined()
})

test('what is not taken is told again after longer and longer waits, under the same id, and given up at last', async () => {
  desk = await Desk.open()
  desk.receiver.answers.push(...Array.from({ length: 20 }, () => 500))
  tell('rates')
  const waits: number[] = []
  let since = desk.clock.at
  for (let seconds = 0; seconds < 4 * 3_600; seconds += 5) {
    const before = desk.receiver.heard.length
    await desk.alerts.look()
    if (desk.receiver.heard.length > before) {
      waits.push((desk.clock.at - since) / SECOND)
      since = desk.clock.at
    }
    desk.clock.at += 5 * SECOND
  }
  expect(waits).toEqual([0, 5, 30, 120, 600, 1_800, 3_600, 7_200])
  expect(new Set(desk.receiver.heard.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(desk.metrics.text(desk.alerts.gauges())).toContain(
    'spendgate_alerts_total{kind="table.stale",outcome="given_up"} 1',
  )
  expect(desk.logged.map((line) => line.split(' ')[1])).toEqual(['alert_not_taken', 'alert_given_up'])
})

test('a redirect is not followed', async () => {
  desk = await Desk.open()
  desk.receiver.answers.push(`${desk.receiver.origin}/elsewhere`)
  tell('rates')
  await desk.alerts.look()
  desk.clock.at += 5 * SECOND
  await desk.alerts.look()
  expect(desk.receiver.heard.map(({ path }) => path)).toEqual(['/hook', '/hook'])
})

test('a receiver that is gone is not asked again', async () => {
  desk = await Desk.open()
  desk.receiver.answers.push(410)
  tell('rates')
  await desk.alerts.look()
  expect(desk.alerts.gauges()).toEqual({ spendgate_alerts_waiting: 0 })
})

test('one receiver that fails keeps no other waiting, and who took it is not told twice', async () => {
  desk = await Desk.open((origin) => `${origin}/a, http://127.0.0.1:9/b`)
  tell('rates')
  await desk.alerts.look()
  desk.clock.at += 5 * SECOND
  await desk.alerts.look()
  expect(desk.receiver.heard.map(({ path }) => path)).toEqual(['/a'])
  expect(desk.alerts.gauges()).toEqual({ spendgate_alerts_waiting: 1 })
})

test('no more wait than there is room for: the oldest go, and are counted', async () => {
  desk = await Desk.open((origin) => `${origin}/hook`, { turn: async () => null })
  for (let i = 0; i < 205; i++) tell(`table ${i}`)
  await desk.alerts.look()
  expect(desk.receiver.heard).toEqual([])
  const text = desk.metrics.text(desk.alerts.gauges())
  expect(text).toContain('spendgate_alerts_waiting 200')
  expect(text).toContain('spendgate_alerts_total{kind="table.stale",outcome="dropped"} 5')
})

test('of two servers on one ledger one tells it', async () => {
  let taken = false
  const turn = async (): Promise<{ release(): Promise<void> } | null> => {
    if (taken) return null
    taken = true
    return { release: async () => void (taken = false) }
  }
  desk = await Desk.open((origin) => `${origin}/hook`, { turn })
  const first = desk.alerts
  const second = desk.hire((origin) => `${origin}/hook`, { turn })
  const key = await desk.key()
  await done(desk.ledger, desk.call(key, '60.00'), reply('settled'))
  await Promise.all([first.look(), second.look()])
  await Promise.all([first.look(), second.look()])
  await Promise.all([first.look(), second.look()])
  expect(desk.receiver.heard).toHaveLength(1)
  expect([first.gauges(), second.gauges()]).toEqual([{ spendgate_alerts_waiting: 0 }, { spendgate_alerts_waiting: 0 }])
  await first.stop(1_000)
})

test('a ledger that cannot be reached keeps nobody from telling that', async () => {
  desk = await Desk.open((origin) => `${origin}/hook`, {
    turn: () => Promise.reject(new LedgerFault('The database is away.')),
  })
  desk.alerts.heard('ledger_fault', { kind: 'database', message: 'The database is away.' })
  await desk.alerts.look()
  expect(desk.kinds()).toEqual(['ledger.fault'])
  expect(desk.logged).toHaveLength(1)
})

test('URLs that cannot be used are refused without being shown', () => {
  const faults: string[] = []
  const receivers = receiversIn(
    'https://ok.test/x?a=1&format=slack&b=2,http://example.com/CANARY,https://u:CANARY@h.test,ftp://CANARY,https://h.test/?format=CANARY',
    faults,
  )
  expect(receivers.map(({ url, shape }) => [url.reveal(), shape])).toEqual([['https://ok.test/x?a=1&b=2', 'slack']])
  expect(faults).toHaveLength(4)
  expect(faults.join() + JSON.stringify(receivers)).not.toMatch(/CANARY|ok\.test\/x/)
  expect(receiversIn('https://hooks.slack.com/services/x', [])[0]!.shape).toBe('slack')
})

test('a signing secret has 24 to 64 bytes', () => {
  for (const text of ['', 'whsec_', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(100)}`, SECRET.slice(6), `${SECRET}\n`])
    expect(signingKeyIn(text)).toBeNull()
  expect(signingKeyIn(SECRET)?.reveal()).toBe(SECRET)
})
