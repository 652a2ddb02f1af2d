import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../fixtures/simulators/index.js'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'
import { basic, books, callIdOf, HOUR, MINUTE, pay, rowOf, startWorld, travel } from '../pipeline/given.js'

/** Records that cannot be read must never be taken for records that hold nothing. */
let world: World
let stripe: IssuedKey
let twilio: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  stripe = await world.key()
  twilio = await world.key({}, { vendors: ['twilio'] })
})
beforeEach(() => {
  world.stripe.faults.length = 0
  world.twilio.faults.length = 0
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const outcomeOf = (report: any, answer: Answer): any =>
  report.calls.find(({ id }: { id: string }) => id === callIdOf(answer))

const BAD: readonly (readonly [string, Plan])[] = [
  ['cut off in the middle', { do: 'truncate', applies: true, times: 9 }],
  ['reset in the middle', { do: 'reset-in-body', applies: true, times: 9 }],
  ['leading elsewhere', { do: 'redirect', to: 'http://127.0.0.1:9/', applies: true, times: 9 }],
  ['refused: the key may not read', { do: 'status', status: 403, applies: false, times: 9 }],
  ['refused: the key is no good', { do: 'status', status: 401, applies: false, times: 9 }],
  ['missing', { do: 'status', status: 404, applies: false, times: 9 }],
  ['no JSON at all', { do: 'raw', bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi', applies: true, times: 9 }],
  [
    'an empty object',
    {
      do: 'raw',
      bytes: 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
      applies: true,
      times: 9,
    },
  ],
  [
    'a list of nothing with more to come',
    {
      do: 'raw',
      bytes: answerOf({
        object: 'list',
        data: [],
        has_more: true,
        messages: [],
        next_page_uri: '/2010-04-01/Accounts/x/Messages.json?Page=1',
      }),
      applies: true,
      times: 99,
    },
  ],
  [
    'a list without a clock',
    {
      do: 'raw',
      bytes: answerOf({ object: 'list', data: [], has_more: false, messages: [], next_page_uri: null }),
      applies: true,
      times: 9,
    },
  ],
]

function answerOf(body: object): string {
  const text = JSON.stringify(body)
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`
}

describe.each(BAD)('a record that is %s releases nothing', (_, plan) => {
  test('of Stripe', async () => {
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
    const answer = await pay(world, stripe.key, 100)
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
    travel(world, 25 * HOUR + MINUTE)
    world.stripe.fault('GET /v1/events', plan)
    expect(outcomeOf(await world.must('POST', '/reconcile'), answer)).toMatchObject({ outcome: 'still_assumed' })
    world.stripe.faults.length = 0
    expect(outcomeOf(await world.must('POST', '/reconcile'), answer)).toMatchObject({ outcome: 'released' })
  })

  test('of Twilio', async () => {
    const { api_key_sid: sid, api_key_secret: secret } = twilio.presentations.twilio!
    const list = `/2010-04-01/Accounts/${REAL.twilioAccount}/Messages.json`
    world.twilio.fault('POST ', { do: 'reset', applies: false })
    const answer = await world.call(
      twilio.key,
      'POST',
      `/twilio${list}`,
      { To: '+14155550123', From: '+14155550100', Body: 'Hi' },
      basic(sid, secret),
    )
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
    travel(world, 11 * MINUTE)
    world.twilio.fault(`GET ${list}`, plan)
    world.twilio.fault(`GET /2010-04-01/Accounts/x/`, plan)
    expect(outcomeOf(await world.must('POST', '/reconcile'), answer)).toMatchObject({ outcome: 'still_assumed' })
    world.twilio.faults.length = 0
    expect(outcomeOf(await world.must('POST', '/reconcile'), answer)).toMatchObject({ outcome: 'released' })
  })
})
