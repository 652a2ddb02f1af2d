import { expect, test } from 'vitest'
import { startTwilio } from '../../fixtures/simulators/index.js'
import type { Doubt, Reach } from '../../src/contracts/records.js'
import { records } from '../../vendors/twilio/records.js'
import { REAL } from '../helpers/world.js'

const FROM = '+14155550100'
const BEGUN = Date.parse('2026-11-24T12:00:00.000Z')

/** Twilio lists by the spelling it keeps, which for an address other than a number need not be the one that was sent. */
test.each([
  ['sip:Ann@Acme.com', 'unknown'],
  ['client:ann', 'unknown'],
  ['+14155550123', 'not_executed'],
])('a call to %s that no list holds is %s', async (to, found) => {
  const now = (): number => BEGUN + 11 * 60_000
  const twilio = await startTwilio({
    now,
    accountSid: REAL.twilioAccount,
    keys: { [REAL.twilioKey]: REAL.twilioSecret },
  })
  try {
    const path = `/2010-04-01/Accounts/${REAL.twilioAccount}/Calls.json`
    const reading = await records.open({
      secret: {
        account_sid: REAL.twilioAccount,
        api_key_sid: REAL.twilioKey,
        api_key_secret: REAL.twilioSecret,
      },
      account: REAL.twilioAccount,
      origin: twilio.origin,
      timeoutMs: 2_000,
      now,
    } as unknown as Reach)
    const body = new URLSearchParams({ To: to, From: FROM, Url: 'https://acme.com/' }).toString()
    const doubt = {
      callId: 'call_0000000001',
      at: BEGUN,
      until: BEGUN + 400,
      method: 'POST',
      path,
      operation: 'calls.create',
      elsewhere: null,
      request: { method: 'POST', host: '', target: path, body, contentType: null, headers: [] },
      taken: async () => new Set(),
      deleted: async () => false,
    } as unknown as Doubt
    expect(await reading.find(doubt)).toMatchObject({ found })
  } finally {
    await twilio.close()
  }
})
