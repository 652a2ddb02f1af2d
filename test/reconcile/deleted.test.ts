import { expect, test } from 'vitest'
import { REAL } from '../helpers/world.js'
import { basic, books, callIdOf, MINUTE, rowOf, startWorld, travel } from '../pipeline/given.js'

test('a message that was sent and then deleted from Twilio’s list is not released', async () => {
  const world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  try {
    const policy = { vendors: { twilio: { endpoints: { allow: ['* *'] }, permit: ['destructive'] } } }
    const key = await world.key(policy, { vendors: ['twilio'] })
    const { api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
    const messages = `/twilio/2010-04-01/Accounts/${REAL.twilioAccount}/Messages`
    const form = { To: '+14155550123', From: '+14155550100', Body: 'Hi' }
    world.twilio.fault('POST ', { do: 'reset', applies: true })
    const lost = await world.call(key.key, 'POST', `${messages}.json`, form, basic(sid, secret))
    const [sent] = [...world.twilio.state.messages.values()]
    const path = `${messages}/${sent!.sid}.json`
    expect((await world.call(key.key, 'DELETE', path, undefined, basic(sid, secret))).status).toBe(204)
    travel(world, 11 * MINUTE)
    expect((await world.must('POST', '/reconcile')).calls).toMatchObject([
      { id: callIdOf(lost), outcome: 'still_assumed', why: expect.stringMatching(/deleted/) },
    ])
    expect(await rowOf(world, callIdOf(lost))).toMatchObject({ state: 'assumed' })
    await books(world)
  } finally {
    await world.close()
  }
})
