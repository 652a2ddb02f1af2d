import { afterAll, beforeAll, expect, test } from 'vitest'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { payment, startWorld } from '../pipeline/given.js'
import { Terminal } from './terminal.js'

/* The command against a whole server and a simulated vendor. */

let world: World
let terminal: Terminal
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
  key = await world.key()
})
afterAll(async () => {
  terminal.close()
  await world.close()
})

const pay = async (run: string, minor: number): Promise<string> => {
  const reply = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(minor), {
    'x-agent-run-id': run,
  })
  expect(reply.status, reply.text).toBe(200)
  return reply.body.id
}
const refunds = (): number => world.stripe.state.refunds.size

test('plans, and changes nothing unless asked to', async () => {
  const id = await pay('plan_only', 1_250)
  const before = refunds()
  const { exit, out, err } = await terminal.run('reverse', 'plan_only')
  expect(exit).toBe(0)
  expect(out).toMatch(new RegExp(`payment_intents\\.create +\\$12\\.50 +${id} +open +\\$12\\.50 +Refunds what is left`))
  expect(err).toContain('The open items would move $12.50.')
  expect(err).toMatch(/Confirm each: {2}spendgate reverse plan_only --execute {2}\(or with --yes undo_[0-9a-f]{32} …\)/)
  const { json } = await terminal.run('reverse', 'plan_only', '--json')
  expect(json.items).toMatchObject([{ on: id, state: 'open', amount_usd: '12.50' }])
  expect(refunds()).toBe(before)
  expect((await terminal.run('reverse', 'no_such_run')).exit).toBe(3)
})

test('asks about each item and does what is confirmed', async () => {
  await pay('asked', 300)
  await pay('asked', 400)
  const before = refunds()
  terminal.answers = ['n', 'yes']
  const { exit, out } = await terminal.run('reverse', 'asked', '--execute')
  expect(exit).toBe(0)
  expect(terminal.questions.map(({ question }) => question)).toEqual([
    expect.stringMatching(
      /^pi_\w+: \$3\.00 Refunds what is left of the payment\. Stripe keeps the fee .* Do it\? \[y\/N\] $/,
    ),
    expect.stringContaining('$4.00'),
  ])
  expect(out).toMatch(/undo_[0-9a-f]{32} {2}done {2}Done\.\n$/)
  expect(refunds()).toBe(before + 1)
  terminal.answers = ['']
  const none = await terminal.run('reverse', 'asked', '--execute')
  expect([none.exit, none.err]).toEqual([0, expect.stringContaining('Nothing was confirmed')])
  terminal.answers = null
})

test('does named items without a question, and says when one was not done', async () => {
  await pay('named', 500)
  const [item] = (await terminal.run('reverse', 'named', '--json')).json.items
  expect((await terminal.run('reverse', 'named', '--execute')).exit).toBe(2)
  expect((await terminal.run('reverse', 'named', '--yes', item.id)).exit).toBe(2)
  world.stripe.fault('POST /v1/refunds', { do: 'reset', applies: true })
  const lost = await terminal.run('reverse', 'named', '--execute', '--yes', item.id)
  expect([lost.exit, lost.out]).toEqual([1, expect.stringContaining('unknown  stripe gave no answer. Ask again')])
  const again = await terminal.run('reverse', 'named', '--execute', '--yes', item.id, '--json')
  expect([again.exit, again.json.results]).toMatchObject([0, [{ id: item.id, state: 'done', amount_usd: '5.00' }]])
  const gone = await terminal.run('reverse', 'named', '--execute', '--yes', `undo_${'0'.repeat(32)}`, '--json')
  expect([gone.exit, gone.json.results[0].state]).toEqual([1, 'gone'])
})

test('what may still be lost stands under spend', async () => {
  const { exit, out } = await terminal.run('spend', '--max-loss')
  expect(exit).toBe(0)
  expect(out).toMatch(/KEY +MAX LOSS +CAPS LEFT +HELD +OPEN +SCHEDULED +A MONTH/)
  expect(out).toMatch(new RegExp(`\\(${key.id}\\) +\\$9\\d\\d\\.\\d\\d`))
  expect((await terminal.run('spend', '--max-loss', '--json')).json.by_key).toMatchObject([{ key_id: key.id }])
  expect((await terminal.run('spend', '--max-loss', '--from', '1h')).exit).toBe(2)
})
