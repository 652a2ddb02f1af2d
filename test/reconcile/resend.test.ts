import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, DAY, MINUTE, rowOf, startWorld, travel } from '../pipeline/given.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  key = await world.key({ daily_cap_usd: '10.00' }, { vendors: ['resend'] })
})
beforeEach(() => {
  world.resend.faults.length = 0
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const send = (subject: string, more: object = {}, path = '/resend/emails'): Promise<Answer> =>
  world.call(
    key.key,
    'POST',
    path,
    JSON.stringify({ from: 'Billing <billing@acme.com>', to: ['ann@acme.com'], subject, text: 'x', ...more }),
    { authorization: `Bearer ${key.presentations.resend!}`, 'content-type': 'application/json' },
  )
async function lost(subject: string, applies: boolean, more: object = {}): Promise<Answer> {
  world.resend.fault('POST /emails', { do: 'reset', applies })
  const answer = await send(subject, more)
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
  return answer
}
const reconcile = (): Promise<any> => world.must('POST', '/reconcile')
const outcomeOf = (report: any, answer: Answer): any =>
  report.calls.find(({ id }: { id: string }) => id === callIdOf(answer))

test('an e-mail that Resend lists is settled at what was reserved', async () => {
  const answer = await lost('Invoice 1', true, { cc: 'bob@acme.com' })
  const { reserved_usd: reserved } = await rowOf(world, callIdOf(answer))
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled', amount_usd: reserved })
})

test('one that it does not list stays counted, however long ago', async () => {
  const answer = await lost('Invoice 2', false)
  travel(world, 2 * DAY)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: expect.stringMatching(/proves nothing/),
  })
  await world.must('POST', `/calls/${callIdOf(answer)}/resolve`, {
    outcome: 'released',
    reason: 'Not in the dashboard.',
  })
})

test('another call’s e-mail of the same words is not taken for it', async () => {
  await send('Invoice 3')
  const answer = await lost('Invoice 3', false)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'still_assumed' })
  await world.must('POST', `/calls/${callIdOf(answer)}/resolve`, {
    outcome: 'released',
    reason: 'Not in the dashboard.',
  })
})

test('nothing is ever sent to Resend a second time', async () => {
  const answer = await lost('Invoice 4', true)
  world.resend.state.emails.clear()
  const before = world.resend.requests.length
  const report = await world.must('POST', '/reconcile', { replay: true })
  expect(outcomeOf(report, answer)).toMatchObject({ outcome: 'still_assumed' })
  expect(world.resend.requests.slice(before).filter(({ method }) => method !== 'GET')).toEqual([])
  await world.must('POST', `/calls/${callIdOf(answer)}/resolve`, { outcome: 'settled', reason: 'Ann has it.' })
})

test('a batch cannot be recognised, and says so', async () => {
  world.resend.fault('POST /emails/batch', { do: 'reset', applies: true })
  const answer = await world.call(
    key.key,
    'POST',
    '/resend/emails/batch',
    JSON.stringify([{ from: 'billing@acme.com', to: 'ann@acme.com', subject: 'x', text: 'x' }]),
    { authorization: `Bearer ${key.presentations.resend!}`, 'content-type': 'application/json' },
  )
  travel(world, MINUTE)
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: expect.stringMatching(/emails\.batch/),
  })
})
