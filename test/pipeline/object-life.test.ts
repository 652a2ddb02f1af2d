import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, codeOf, DAY, moved, pay, rowOf, spentBy, startWorld, travel } from './given.js'

let world: World
/** Opened and not yet over when the world ends: counted, and not moved. */
let openUsd = 0n
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  const { spent, held } = await books(world)
  expect({ spent, held }).toEqual({
    spent: formatUsd((moved(world) + openUsd) as ReturnType<typeof moved>),
    held: '0.00',
  })
  await world.close()
})

/** An agent that works on one intent of its own. */
class Payer {
  intent = ''
  constructor(readonly key: IssuedKey) {}

  static of = async (policy: Record<string, unknown> = {}): Promise<Payer> => new Payer(await world.key(policy))

  async open(amount: number, more: Record<string, string> = {}): Promise<Answer> {
    const body = { amount: String(amount), currency: 'usd', customer: 'cus_A', capture_method: 'manual', ...more }
    const answer = await world.call(this.key.key, 'POST', '/stripe/v1/payment_intents', body)
    this.intent = answer.body.id
    return answer
  }
  act = (step: string, body: Record<string, string> = {}): Promise<Answer> =>
    world.call(this.key.key, 'POST', `/stripe/v1/payment_intents/${this.intent}${step}`, body)
  spent = (): Promise<string> => spentBy(world, this.key.id)
}

const CARD = { payment_method: 'pm_card_visa' }

describe('an intent counts', () => {
  test('in full from its creation, the rest when it is raised, and in the end what was captured', async () => {
    const payer = await Payer.of()
    expect((await payer.open(5_000)).status).toBe(200)
    expect(await payer.spent()).toBe('50.00')
    const raised = await payer.act('', { amount: '7000' })
    expect(await rowOf(world, callIdOf(raised))).toMatchObject({
      quoted_usd: '70.00',
      reserved_usd: '20.00',
      settled_usd: '20.00',
      object: payer.intent,
    })
    expect(await payer.spent()).toBe('70.00')
    const confirmed = await payer.act('/confirm', CARD)
    expect(confirmed.body.status).toBe('requires_capture')
    expect(await rowOf(world, callIdOf(confirmed))).toMatchObject({
      quoted_usd: '70.00',
      reserved_usd: '0.00',
      settled_usd: '0.00',
    })
    expect(await payer.spent()).toBe('70.00')
    const captured = await payer.act('/capture', { amount_to_capture: '4000' })
    expect(captured.body.status).toBe('succeeded')
    expect(await payer.spent()).toBe('40.00')
  })

  test('less when it is lowered', async () => {
    const payer = await Payer.of({ daily_cap_usd: '50.00' })
    await payer.open(5_000)
    expect(codeOf(await pay(world, payer.key.key, 1))).toBe('daily_cap_exceeded')
    await payer.act('', { amount: '3000' })
    expect(await payer.spent()).toBe('30.00')
    expect((await pay(world, payer.key.key, 2_000)).status).toBe(200)
    await payer.act('/cancel')
    expect(await payer.spent()).toBe('20.00')
  })

  test('against the caps: raising it asks for the difference only, and a limit a call sees the whole', async () => {
    const payer = await Payer.of({
      daily_cap_usd: '60.00',
      vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '58.00' } },
    })
    await payer.open(5_000)
    expect(codeOf(await payer.act('', { amount: '6100' }))).toBe('amount_over_limit')
    await world.must('POST', `/keys/${payer.key.id}/narrow`, { daily_cap_usd: '55.00' })
    expect(codeOf(await payer.act('', { amount: '5501' }))).toBe('daily_cap_exceeded')
    expect((await payer.act('', { amount: '5500' })).status).toBe(200)
    expect((await payer.act('/confirm', CARD)).status).toBe(200)
    expect((await payer.act('/capture')).status).toBe(200)
    expect(await payer.spent()).toBe('55.00')
  })

  test('in full when somebody else opened it, from the first call that can spend it', async () => {
    const payer = await Payer.of({ daily_cap_usd: '60.00' })
    payer.intent = world.stripe.addIntent({ customer: 'cus_A', amount: 6_000, status: 'requires_capture' }).id
    expect((await payer.act('', { description: 'seen' })).status).toBe(200)
    expect(await payer.spent()).toBe('0.00')
    expect((await payer.act('/capture', { amount_to_capture: '2500' })).status).toBe(200)
    expect(await payer.spent()).toBe('25.00')
  })

  test('once, whichever of two keys on the credential goes on with it', async () => {
    const [opener, capturer] = [await Payer.of(), await Payer.of()]
    await opener.open(1_000, { ...CARD, confirm: 'true' })
    capturer.intent = opener.intent
    expect((await capturer.act('/capture')).status).toBe(200)
    expect([await opener.spent(), await capturer.spent()]).toEqual(['10.00', '0.00'])
  })

  test('on after a decline: its amount can still be taken', async () => {
    const payer = await Payer.of()
    await payer.open(2_000)
    expect((await payer.act('/confirm', { payment_method: 'pm_card_chargeDeclined' })).status).toBe(402)
    expect(await payer.spent()).toBe('20.00')
    expect((await payer.act('/confirm', CARD)).status).toBe(200)
    expect((await payer.act('/capture')).status).toBe(200)
    expect(await payer.spent()).toBe('20.00')
  })
})

describe('what is given back goes to the day it was counted on', () => {
  const day = async (key: string): Promise<Record<string, string>> => {
    const rows = (await world.calls(`&key=${key}`)) as { at: string; state: string; settled_usd: string }[]
    return Object.fromEntries(
      rows.filter(({ settled_usd: usd }) => usd !== '0.00').map(({ at, settled_usd: usd }) => [at.slice(0, 10), usd]),
    )
  }

  test('an intent that is cancelled a day later leaves today’s cap as it was', async () => {
    const payer = await Payer.of({ daily_cap_usd: '50.00', budgets: [{ per: 'month', cap_usd: '60.00' }] })
    await payer.open(5_000)
    const opened = new Date(world.clock.now()).toISOString().slice(0, 10)
    const spentOn = async (label: string): Promise<string> =>
      (await world.must('GET', '/spend?by=day')).rows.find((row: { day: string }) => row.day === label)?.spent_usd ??
      '0.00'
    const before = await spentOn(opened)
    travel(world, DAY)
    const today = new Date(world.clock.now()).toISOString().slice(0, 10)
    const open = new Payer(payer.key)
    await open.open(500)
    expect(codeOf(await pay(world, payer.key.key, 501))).toBe('budget_exceeded')
    expect(await day(payer.key.id)).toEqual({ [opened]: '50.00', [today]: '5.00' })

    expect((await payer.act('/cancel')).status).toBe(200)
    expect(await day(payer.key.id)).toEqual({ [today]: '5.00' })
    expect(Number(before) - Number(await spentOn(opened))).toBe(50)
    expect(await spentOn(today)).toBe('5.00')
    // Nothing was refilled today: of 50.00 a day 45.00 are left, not 95.00.
    expect(codeOf(await pay(world, payer.key.key, 4_501))).toBe('daily_cap_exceeded')
    expect((await pay(world, payer.key.key, 4_500)).status).toBe(200)
    await open.act('/cancel')
  })

  test('an amount raised over two days comes back newest first', async () => {
    const payer = await Payer.of()
    await payer.open(3_000)
    const first = new Date(world.clock.now()).toISOString().slice(0, 10)
    travel(world, DAY)
    const second = new Date(world.clock.now()).toISOString().slice(0, 10)
    await payer.act('', { amount: '5000' })
    expect(await day(payer.key.id)).toEqual({ [first]: '30.00', [second]: '20.00' })
    await payer.act('/confirm', CARD)
    await payer.act('/capture', { amount_to_capture: '2500' })
    expect(await day(payer.key.id)).toEqual({ [first]: '25.00' })
  })
})

test('a refund never refills: both directions count', async () => {
  const payer = await Payer.of({ daily_cap_usd: '20.00' })
  const paid = await pay(world, payer.key.key, 1_500)
  const refund = (amount: string): Promise<Answer> =>
    world.call(payer.key.key, 'POST', '/stripe/v1/refunds', { payment_intent: paid.body.id, amount })
  expect((await refund('300')).status).toBe(200)
  expect(await payer.spent()).toBe('18.00')
  expect(codeOf(await refund('201'))).toBe('daily_cap_exceeded')
})

test('an intent whose creation got no answer stays counted when another is cancelled', async () => {
  const payer = await Payer.of()
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  await payer.open(1_000).catch(() => null)
  openUsd += 10_000_000n
  await payer.open(700)
  await payer.act('/cancel')
  expect(await payer.spent()).toBe('10.00')
})

test('captures of one intent that race count once', async () => {
  const payer = await Payer.of()
  await payer.open(900, { ...CARD, confirm: 'true' })
  const answers = await Promise.all(Array.from({ length: 8 }, () => payer.act('/capture')))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(await payer.spent()).toBe('9.00')
})
