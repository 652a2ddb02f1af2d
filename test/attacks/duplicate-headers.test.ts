import { describe, expect, test } from 'vitest'
import { onStage, presented, stripe } from './stage.js'
import { REAL } from '../helpers/world.js'

const stage = onStage()
const body = 'charge=ch_A&amount=100'

describe('a header that stands twice is ambiguous', () => {
  test.each([
    ['Idempotency-Key: a', 'Idempotency-Key: b'],
    ['Idempotency-Key: a', 'idempotency-key: a'],
    ['Stripe-Account: acct_A', 'Stripe-Account: acct_B'],
    ['Stripe-Context: acct_A', 'Stripe-Context: acct_B'],
    ['Stripe-Version: 2026-10-28.endive', 'Stripe-Version: 2020-08-27'],
    ['X-Agent-Run-Id: run_a', 'X-Agent-Run-Id: run_b'],
    ['X-Agent-Reason: a', 'X-Agent-Reason: b'],
    ['Content-Encoding: identity', 'Content-Encoding: gzip'],
    ['User-Agent: a', 'User-Agent: b'],
    ['Traceparent: a', 'Traceparent: b'],
  ])('%s and %s', async (first, second) => {
    await stage.refuses(stripe('/v1/refunds', body, [first, second]), 'request_ambiguous')
  })

  test('two readings of who asks, when the first is known', async () => {
    const [mine, other] = [await stage.key(), await stage.key()]
    stage.forget()
    const headers = [`Authorization: ${presented('stripe', mine)}`, `Authorization: ${presented('stripe', other)}`]
    const reply = await stage.send(stripe('/v1/refunds', body, headers), '')
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'request_ambiguous' } })
    expect(stage.seen()).toEqual([])
    expect(await stage.rows(mine)).toHaveLength(1)
    expect(await stage.rows(other)).toHaveLength(0)
  })

  test.each([
    ['a real one', `Bearer ${REAL.stripe}`, 'real_key_presented'],
    ['an unknown one', 'Bearer nobody', 'key_unknown'],
    ['an empty one', '', 'key_unknown'],
  ])('a known key behind %s is not looked for', async (_, first, code) => {
    const key = await stage.key()
    const headers = [`Authorization: ${first}`, `Authorization: ${presented('stripe', key)}`]
    const reply = await stage.ignores(stripe('/v1/refunds', body, headers), 401)
    expect(reply.headers['x-spendgate-code']).toBe(code)
  })
})

describe('an idempotency key is one plain word', () => {
  test.each([
    ['with a space', 'a b'],
    ['with a comma and a space', 'a, b'],
    ['in UTF-8', '\xc3\xa9'],
    ['of 256 characters', 'x'.repeat(256)],
    ['empty', ''],
  ])('%s it is malformed', async (_, key) => {
    await stage.refuses(stripe('/v1/refunds', body, [`Idempotency-Key: ${key}`]), 'request_malformed')
  })
})
