import { describe, expect, test } from 'vitest'
import { onStage, presented, resend, stripe, type Attack } from './stage.js'

const stage = onStage()
const refund = (amount: number, key: string): Attack =>
  stripe('/v1/refunds', `charge=ch_A&amount=${amount}`, [`Idempotency-Key: ${key}`])

test('another request under a used key is refused, not taken for a retry of the small one', async () => {
  const key = await stage.key()
  const auth = presented('stripe', key)
  expect((await stage.send(refund(100, 'k-1'), auth)).status).toBe(200)
  const moved = stage.world.stripe.moved().length
  stage.forget()
  const reply = await stage.send(refund(5000, 'k-1'), auth)
  expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'idempotency_mismatch' } })
  expect(stage.seen()).toEqual(['GET /v1/charges/ch_A'])
  expect(stage.world.stripe.moved()).toHaveLength(moved)
  expect(await stage.rows(key)).toHaveLength(2)
})

test('the same request under a used key is a replay: sent again, counted once', async () => {
  const key = await stage.key()
  const auth = presented('stripe', key)
  const [first, second] = [await stage.send(refund(100, 'k-2'), auth), await stage.send(refund(100, 'k-2'), auth)]
  expect(second).toMatchObject({ status: 200, body: first.body })
  const rows = await stage.rows(key)
  expect(rows.map(({ quoted_usd, replay_of }) => [quoted_usd, replay_of]).sort()).toEqual([
    ['0.00', first.headers['x-spendgate-call-id']],
    ['1.00', null],
  ])
})

test('one parameter more is another request', async () => {
  const key = await stage.key()
  const auth = presented('stripe', key)
  const headers = ['Idempotency-Key: k-3']
  expect((await stage.send(stripe('/v1/refunds', 'charge=ch_A&amount=1', headers), auth)).status).toBe(200)
  const reply = await stage.send(stripe('/v1/refunds', 'charge=ch_A&amount=1&reason=duplicate', headers), auth)
  expect(reply.headers['x-spendgate-code']).toBe('idempotency_mismatch')
})

describe("the vendor never sees a client's own key", () => {
  test('two agents under one word do not read each other', async () => {
    stage.forget()
    for (const amount of [100, 200]) {
      const key = await stage.key()
      const reply = await stage.send(refund(amount, 'welcome/123'), presented('stripe', key))
      expect(reply.status).toBe(200)
      expect(JSON.parse(reply.body).amount).toBe(amount)
    }
    const sent = stage.world.stripe.requests
      .filter(({ method }) => method === 'POST')
      .map(({ idempotencyKey }) => idempotencyKey)
    expect(new Set(sent).size).toBe(2)
    for (const each of sent) expect(each).toMatch(/^sg_[A-Za-z0-9_-]{43}$/)
  })

  test('nor guesses one of ours', async () => {
    const [mine, other] = [await stage.key(), await stage.key()]
    await stage.send(refund(100, 'guess'), presented('stripe', mine))
    const ours = stage.world.stripe.requests.at(-1)!.idempotencyKey!
    const reply = await stage.send(refund(100, ours), presented('stripe', other))
    expect(reply.headers).not.toHaveProperty('idempotent-replayed')
    expect(stage.world.stripe.requests.at(-1)!.idempotencyKey).not.toBe(ours)
  })

  test('at Resend', async () => {
    const email = resend('/emails', '{"from":"a@acme.com","to":"b@acme.com","subject":"s","text":"t"}')
    const ids = []
    for (const key of [await stage.key('resend'), await stage.key('resend')]) {
      const reply = await stage.send({ ...email, headers: ['Idempotency-Key: welcome/123'] }, presented('resend', key))
      expect(reply.status).toBe(200)
      ids.push(JSON.parse(reply.body).id)
    }
    expect(ids[0]).not.toBe(ids[1])
  })
})
