import { describe, expect, test } from 'vitest'
import { REAL } from '../helpers/world.js'
import { encodingsOf, leaks } from './encodings-of.js'
import { Hostile } from './hostile.js'
import { onStage, presented, resend, Stage, stripe, twilio } from './stage.js'

describe('a vendor that echoes the request shows no credential', () => {
  const stage = onStage()
  const secrets = (): Record<string, string> => ({
    stripe: REAL.stripe,
    resend: REAL.resend,
    twilio: stage.world.twilio.keySecret,
    'twilio pair': `${stage.world.twilio.keySid}:${stage.world.twilio.keySecret}`,
  })
  const calls = {
    stripe: () => stripe('/v1/refunds', 'charge=ch_A&amount=100'),
    twilio: () => twilio(stage, '/Messages.json', 'To=%2B14155550101&From=%2B14155550100&Body=hi'),
    resend: () => resend('/emails', '{"from":"a@acme.com","to":"b@acme.com","subject":"s","text":"t"}'),
  } as const

  test.each(['stripe', 'twilio', 'resend'] as const)('%s, in body and header, whatever the status', async (vendor) => {
    for (const status of [200, 400, 401, 500]) {
      const key = await stage.key(vendor)
      stage.world[vendor].fault('POST', { do: 'echo', status })
      const reply = await stage.send(calls[vendor](), presented(vendor, key))
      expect(reply.status).toBe(status)
      expect(reply.body).toContain('[redacted]')
      expect(leaks(secrets(), JSON.stringify(reply))).toEqual([])
      expect(reply.headers).not.toHaveProperty('x-echo-authorization')
    }
  })

  test('nor when a look-up is what it echoes', async () => {
    const key = await stage.key('stripe')
    stage.world.stripe.fault('GET', { do: 'echo', status: 200 })
    const reply = await stage.send(stripe('/v1/refunds', 'charge=ch_A&amount=100'), presented('stripe', key))
    expect(reply.status).toBe(200)
    expect(leaks(secrets(), JSON.stringify(reply))).toEqual([])
    expect(leaks(secrets(), stage.world.files().toString('latin1'))).toEqual([])
  })
})

describe('in whatever encoding it is echoed', () => {
  const forms = encodingsOf(REAL.resend)

  test.each(forms.map((form, at) => [at, form] as const))('form %i', async (at) => {
    const hostile = await Hostile.open()
    const stage = new Stage()
    await stage.open({ SPENDGATE_RESEND_UPSTREAM: hostile.origin })
    try {
      const key = await stage.key('resend')
      hostile.answer = (_, response) => {
        response.writeHead(200, {
          'content-type': `application/json; x=${forms[at]}`,
          'x-resend-daily-quota': forms[at]!,
          // What rows remember of a reply.
          'x-request-id': `req_${forms[at]!}`,
        })
        response.end(`{"id":"e1","a":"${forms[at]}","b":"xx${forms[at]}yy${forms[at]}"}`)
      }
      const reply = await stage.send({ vendor: 'resend', line: 'GET /resend/domains' }, presented('resend', key))
      expect(hostile.authorization).toBe(`Bearer ${REAL.resend}`)
      expect(reply.status).toBe(200)
      expect(leaks({ resend: REAL.resend }, JSON.stringify(reply))).toEqual([])
      expect(reply.body).toBe('{"id":"e1","a":"[redacted]","b":"xx[redacted]yy[redacted]"}')
      expect(await stage.world.verified()).toEqual([])
      expect(leaks({ resend: REAL.resend }, stage.world.files().toString('latin1'))).toEqual([])
    } finally {
      await stage.world.close()
      await hostile.close()
    }
  })
})
