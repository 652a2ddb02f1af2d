import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTwilio } from '../../fixtures/simulators/index.js'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'
import { basic, books, callIdOf, DAY, HOUR, MINUTE, rowOf, seenBy, startWorld, travel } from '../pipeline/given.js'

const TO = '+14155550123'
const MESSAGES = `/twilio/2010-04-01/Accounts/${REAL.twilioAccount}/Messages.json`
const CALLS = `/twilio/2010-04-01/Accounts/${REAL.twilioAccount}/Calls.json`

let world: World
let key: IssuedKey
/** How far Twilio's clock is from ours. */
let skewMs = 0
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  // Final and priced only when a test says so.
  await world.twilio.close()
  const now = (): number => world.clock.now() + skewMs
  world.twilio = await startTwilio({
    now,
    accountSid: REAL.twilioAccount,
    keys: { [REAL.twilioKey]: REAL.twilioSecret },
    port: world.twilio.port,
    settleAfterMs: Number.POSITIVE_INFINITY,
    pageRowsMax: 3,
  })
  key = await world.key({ daily_cap_usd: '100.00' }, { vendors: ['twilio'] })
})
beforeEach(() => {
  world.twilio.faults.length = 0
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const post = (path: string, form: Record<string, string>): Promise<Answer> => {
  const { api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
  return world.call(key.key, 'POST', path, form, basic(sid, secret))
}
const text = (body: string, more: Record<string, string> = {}): Promise<Answer> =>
  post(MESSAGES, { To: TO, From: '+14155550100', Body: body, ...more })
const ring = (more: Record<string, string> = {}): Promise<Answer> =>
  post(CALLS, { To: TO, From: '+14155550100', Twiml: '<Response><Say>Hi</Say></Response>', TimeLimit: '60', ...more })
const reconcile = (body: object = {}): Promise<any> => world.must('POST', '/reconcile', body)
const outcomeOf = (report: any, answer: Answer): any =>
  report.calls.find(({ id }: { id: string }) => id === callIdOf(answer))

async function lost(send: () => Promise<Answer>, applies: boolean): Promise<Answer> {
  world.twilio.fault('POST ', { do: 'reset', applies })
  const answer = await send()
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
  return answer
}

describe('a message whose answer was lost', () => {
  test('is found by recipient, sender and text, and settled', async () => {
    const answer = await lost(() => text('Your table is ready.'), true)
    const report = await reconcile()
    expect(report).toMatchObject({ checked: 2, settled: 1 })
    expect(outcomeOf(report, answer).why).toMatch(/^Twilio lists SM[0-9a-f]{32}/)
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'settled' })
  })

  test('that Twilio does not list is released ten minutes later, and not before', async () => {
    const answer = await lost(() => text('Never sent.'), false)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'still_assumed' })
    travel(world, 11 * MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released', amount_usd: '0.00' })
  })

  test('is not mistaken for another call’s message of the same text', async () => {
    await text('Twice the same.')
    const answer = await lost(() => text('Twice the same.'), false)
    travel(world, 11 * MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
  })

  test('two of one text, of which one was sent, are settled and released', async () => {
    const first = await lost(() => text('Only one of us.'), false)
    const second = await lost(() => text('Only one of us.'), true)
    travel(world, 11 * MINUTE)
    const report = await reconcile()
    // Which of the two it was makes no difference to the sum.
    expect([first, second].map((each) => outcomeOf(report, each).outcome).sort()).toEqual(['released', 'settled'])
  })

  test('that may be one of several stays in doubt', async () => {
    const answer = await lost(() => text('Which one?'), true)
    await sentAround('Which one?')
    travel(world, 11 * MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({
      outcome: 'still_assumed',
      why: expect.stringMatching(/lists 2 that it may be/),
    })
    await world.must('POST', `/calls/${callIdOf(answer)}/resolve`, {
      outcome: 'settled',
      amount_usd: '0.01',
      reason: 'Seen.',
    })
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'settled', settled_usd: '0.01' })
  })

  test('to whom something else went at that time stays in doubt', async () => {
    travel(world, HOUR)
    const answer = await lost(() => text('Mine.'), false)
    await sentAround('Somebody else’s.')
    travel(world, 11 * MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({
      outcome: 'still_assumed',
      why: expect.stringMatching(/another sender or with another text/),
    })
    travel(world, HOUR)
  })

  test('is looked for on one page after the other', async () => {
    const answer = await lost(() => text('On the last page.'), true)
    for (let i = 0; i < 5; i++) await text('On the first.')
    const { result, requests } = await seenBy(world.twilio, () => reconcile())
    expect(outcomeOf(result, answer)).toMatchObject({ outcome: 'settled' })
    expect(requests.filter(({ path }) => path.includes('Page=1')).length).toBeGreaterThan(0)
  })

  test('that would stand on a page nobody reads any more stays in doubt', async () => {
    travel(world, 2 * DAY)
    const answer = await lost(() => text('Buried.'), false)
    for (let i = 0; i < 31; i++) await text('On top of it.')
    travel(world, 11 * MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({
      outcome: 'still_assumed',
      why: expect.stringMatching(/not read whole/),
    })
    await world.must('POST', `/calls/${callIdOf(answer)}/resolve`, {
      outcome: 'released',
      reason: 'Not in the console.',
    })
    travel(world, 2 * DAY)
  })
})

/** A message of the same account that never came through here. */
async function sentAround(body: string): Promise<void> {
  const { request } = await import('undici')
  const auth = Buffer.from(`${REAL.twilioKey}:${REAL.twilioSecret}`).toString('base64')
  await request(`${world.twilio.origin}/2010-04-01/Accounts/${REAL.twilioAccount}/Messages.json`, {
    method: 'POST',
    headers: { authorization: `Basic ${auth}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ To: TO, From: '+14155550100', Body: body }).toString(),
  }).then((reply) => reply.body.dump())
}

test('a vendor whose clock is another one proves nothing by its list', async () => {
  const answer = await lost(() => text('At what time?'), false)
  travel(world, 11 * MINUTE)
  skewMs = 2 * MINUTE
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'still_assumed',
    why: expect.stringMatching(/clock and ours differ/),
  })
  skewMs = 0
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
})

test('a credential that was exchanged since for one of the same account proves as much', async () => {
  const answer = await lost(() => text('Whose account?'), false)
  travel(world, 11 * MINUTE)
  const { twilio } = await world.credentials()
  await world.must('POST', `/credentials/${twilio}/rotate`, {
    secret: { account_sid: REAL.twilioAccount, api_key_sid: REAL.twilioKey, api_key_secret: REAL.twilioSecret },
  })
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
})

describe('a telephone call whose answer was lost', () => {
  test('is found by recipient and caller, and settled', async () => {
    const answer = await lost(() => ring(), true)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'settled' })
  })

  test('that was never placed is released', async () => {
    travel(world, HOUR)
    const answer = await lost(() => ring(), false)
    travel(world, 11 * MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'released' })
  })
})

describe('the price that is named later', () => {
  test('of a message, with what carriers charge, takes the place of the estimate', async () => {
    const answer = await text('Cheaper than thought.')
    const estimate = (await rowOf(world, callIdOf(answer))).settled_usd
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'pending', amount_usd: estimate })
    world.twilio.deliver()
    // 0.0083 a part to +1, and the table's carrier fee of 0.0062.
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'adjusted', amount_usd: '0.0145' })
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'settled', settled_usd: '0.0145' })
    expect(outcomeOf(await reconcile(), answer)).toBeUndefined()
  })

  test('above the reservation counts, though it passes the cap', async () => {
    const small = await world.key({ daily_cap_usd: '0.02' }, { vendors: ['twilio'] })
    const own = key
    key = small
    const answer = await text('Dearer than thought.')
    world.twilio.deliver()
    const sid = answer.body.sid as string
    Object.assign(world.twilio.state.messages.get(sid)!, { price: '-0.50000' })
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'adjusted', amount_usd: '0.5062' })
    const refused = await text('No more.')
    expect(refused.headers['x-spendgate-code']).toBe('daily_cap_exceeded')
    key = own
  })

  test('of a message leaves the estimate where no table says what carriers charge beside it', async () => {
    const answer = await text('To whom?')
    const estimate = (await rowOf(world, callIdOf(answer))).settled_usd
    world.twilio.deliver()
    Object.assign(world.twilio.state.messages.get(answer.body.sid)!, { to: '+37255512345' })
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'kept', amount_usd: estimate })
  })

  test('of a call is that of all its legs, and less than its ceiling', async () => {
    const answer = await ring({ TimeLimit: '600' })
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ settled_usd: '0.161' })
    const parent = world.twilio.state.calls.get(answer.body.sid)!
    const leg = { ...parent, sid: `CA${'9'.repeat(32)}`, parentSid: parent.sid, seconds: 61 }
    world.twilio.state.calls.set(leg.sid, leg)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'pending' })
    world.twilio.deliver()
    // One minute of the call and two of its leg, at 0.014.
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'adjusted', amount_usd: '0.042' })
  })

  test('of a verification is that of its sendings, and of its success', async () => {
    const sent = await post(`/twilio/verify.twilio.com/v2/Services/${world.twilio.serviceSid}/Verifications`, {
      To: TO,
      Channel: 'sms',
    })
    expect(sent.status).toBe(201)
    expect(outcomeOf(await reconcile(), sent)).toMatchObject({ outcome: 'pending' })
    travel(world, 2 * HOUR)
    expect(outcomeOf(await reconcile(), sent)).toMatchObject({ outcome: 'adjusted', amount_usd: '0.0083' })
  })

  test('of a verification that succeeded holds the fee for that, once', async () => {
    const at = `/twilio/verify.twilio.com/v2/Services/${world.twilio.serviceSid}`
    const sent = await post(`${at}/Verifications`, { To: '+14155550188', Channel: 'sms' })
    const checked = await post(`${at}/VerificationCheck`, { VerificationSid: sent.body.sid, Code: '123456' })
    expect(checked.body.status).toBe('approved')
    // 0.0083 for the sending and 0.05 for the success.
    expect(outcomeOf(await reconcile(), sent)).toMatchObject({ outcome: 'adjusted', amount_usd: '0.0583' })
    expect(await rowOf(world, callIdOf(checked))).toMatchObject({ settled_usd: '0.00' })
  })

  test('of a message that was canceled or has failed is what that costs', async () => {
    const [canceled, failed] = [await text('Canceled.'), await text('Failed.')]
    Object.assign(world.twilio.state.messages.get(canceled.body.sid)!, { status: 'canceled' })
    Object.assign(world.twilio.state.messages.get(failed.body.sid)!, { status: 'failed' })
    const report = await reconcile()
    expect(outcomeOf(report, canceled)).toMatchObject({ amount_usd: '0.00' })
    expect(outcomeOf(report, failed)).toMatchObject({ amount_usd: '0.001' })
  })

  test('that is not named within a day leaves the estimate', async () => {
    const answer = await text('No price ever.')
    const estimate = (await rowOf(world, callIdOf(answer))).settled_usd
    travel(world, DAY + MINUTE)
    expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'kept', amount_usd: estimate })
    expect(outcomeOf(await reconcile(), answer)).toBeUndefined()
  })
})
