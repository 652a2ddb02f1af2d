import { describe, expect, test } from 'vitest'
import { onStage, resend, stripe, twilio } from './stage.js'

const stage = onStage()

describe('one parameter named twice', () => {
  test.each([
    ['as it is', 'charge=ch_A&amount=100&amount=9999900'],
    ['the same value', 'charge=ch_A&amount=100&amount=100'],
    ['its second name percent-encoded', 'charge=ch_A&amount=100&%61mount=9999900'],
    ['its first name percent-encoded', 'charge=ch_A&%61%6d%6f%75%6e%74=100&amount=9999900'],
    ['in a map', 'charge=ch_A&metadata[a]=1&metadata[a]=2'],
    ['in a map, its brackets percent-encoded', 'charge=ch_A&metadata[a]=1&metadata%5Ba%5D=2'],
    ['in a list', 'charge=ch_A&expand[0]=charge&expand[0]=payment_intent'],
  ])('is ambiguous: %s', async (_, body) => {
    await stage.refuses(stripe('/v1/refunds', body), 'request_ambiguous')
  })

  test.each(['Amount', 'AMOUNT', 'aMOUNT'])('in another case is a parameter nobody knows: %s', async (name) => {
    await stage.refuses(stripe('/v1/refunds', `charge=ch_A&amount=100&${name}=9999900`), 'request_malformed')
  })

  test('is ambiguous on a read too', async () => {
    const line = 'GET /stripe/v1/charges?customer=cus_A&customer=cus_B'
    await stage.refuses({ line }, 'request_ambiguous', { policy: { vendors: { stripe: { customers: ['cus_A'] } } } })
  })

  test.each(['To=%2B14155550100&To=%2B8825555', 'From=%2B14155550100&From=Bank', 'Body=a&Body=b'])(
    'is ambiguous at Twilio: %s',
    async (twice) => {
      const others = ['To=%2B14155550101', 'From=%2B14155550100', 'Body=hi'].filter((pair) => pair[0] !== twice[0])
      await stage.refuses(twilio(stage, '/Messages.json', [...others, twice].join('&')), 'request_ambiguous')
    },
  )

  test('may stand twice where Twilio says so, and all of it is sent', async () => {
    const media = 'MediaUrl=https%3A%2F%2Fcdn.acme.com%2Fa&MediaUrl=https%3A%2F%2Fcdn.acme.com%2Fb'
    const key = await stage.key('twilio', { vendors: { twilio: { callback_hosts: ['cdn.acme.com'] } } })
    const { api_key_sid, api_key_secret } = key.presentations.twilio!
    stage.forget()
    const reply = await stage.send(
      twilio(stage, '/Messages.json', `To=%2B14155550101&From=%2B14155550100&${media}`),
      `Basic ${Buffer.from(`${api_key_sid}:${api_key_secret}`).toString('base64')}`,
    )
    expect(reply.status).toBe(201)
    expect(stage.world.twilio.requests.map(({ body }) => body)).toEqual([
      `To=%2B14155550101&From=%2B14155550100&${media}`,
    ])
  })

  test.each([
    ['as it is', '"to":"a@acme.com","to":"b@evil.com"'],
    ['its name escaped', '"to":"a@acme.com","\\u0074o":"b@evil.com"'],
    ['in an inner object', '"to":"a@acme.com","headers":{"X-A":"1","X-A":"2"}'],
  ])('is ambiguous in JSON: %s', async (_, members) => {
    const body = `{"from":"billing@acme.com","subject":"s","text":"t",${members}}`
    await stage.refuses(resend('/emails', body), 'request_ambiguous')
  })
})
