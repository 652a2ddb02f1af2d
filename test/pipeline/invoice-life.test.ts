import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, codeOf, moved, rowOf, spentBy, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const ask = (key: IssuedKey, path: string, body: Record<string, string> = {}): Promise<Answer> =>
  world.call(key.key, 'POST', `/stripe/v1${path}`, body)

/** An invoice over one line, not finalised. */
async function draft(key: IssuedKey, amount: number): Promise<string> {
  const made = await ask(key, '/invoices', { customer: 'cus_A', auto_advance: 'false' })
  expect(made.status).toBe(200)
  const line = await ask(key, '/invoiceitems', {
    customer: 'cus_A',
    invoice: made.body.id,
    amount: String(amount),
    currency: 'usd',
  })
  expect(line.status).toBe(200)
  return made.body.id
}

test('an invoice counts once: with what is on it when it is finalised, and nothing more when it is paid', async () => {
  const key = await world.key()
  const invoice = await draft(key, 3_000)
  const finalised = await ask(key, `/invoices/${invoice}/finalize`)
  expect(finalised.status).toBe(200)
  expect(await spentBy(world, key.id)).toBe('30.00')
  const paid = await ask(key, `/invoices/${invoice}/pay`)
  expect(paid.body.status).toBe('paid')
  expect(await rowOf(world, callIdOf(paid))).toMatchObject({
    quoted_usd: '30.00',
    reserved_usd: '0.00',
    settled_usd: '0.00',
    customer: 'cus_A',
  })
  expect(await spentBy(world, key.id)).toBe('30.00')
})

test('what was finalised by somebody else counts when it is paid', async () => {
  const key = await world.key({ daily_cap_usd: '30.00' })
  expect((await ask(key, '/invoices/in_A/pay')).status).toBe(200)
  expect(await spentBy(world, key.id)).toBe('30.00')
})

test('an invoice over the cap is not finalised, and its lines were refused before it came to that', async () => {
  const key = await world.key({ daily_cap_usd: '20.00' })
  const made = await ask(key, '/invoices', { customer: 'cus_A', auto_advance: 'false' })
  const line = await ask(key, '/invoiceitems', {
    customer: 'cus_A',
    invoice: made.body.id,
    amount: '2001',
    currency: 'usd',
  })
  const finalised = await ask(key, `/invoices/${made.body.id}/finalize`)
  expect([line, finalised].map(codeOf)).toContain('daily_cap_exceeded')
  expect(await spentBy(world, key.id)).toBe('0.00')
})

test('a draft that is deleted gives back what it counted for', async () => {
  const key = await world.key()
  const invoice = await draft(key, 1_200)
  expect((await world.call(key.key, 'DELETE', `/stripe/v1/invoices/${invoice}`)).status).toBe(200)
  expect(await spentBy(world, key.id)).toBe('0.00')
})

test('a payment that is declined leaves the invoice counted, for it can be paid again', async () => {
  const key = await world.key()
  const invoice = await draft(key, 800)
  await ask(key, `/invoices/${invoice}/finalize`)
  expect((await ask(key, `/invoices/${invoice}/pay`, { payment_method: 'pm_card_chargeDeclined' })).status).toBe(402)
  expect(await spentBy(world, key.id)).toBe('8.00')
  expect((await ask(key, `/invoices/${invoice}/pay`)).status).toBe(200)
  expect(await spentBy(world, key.id)).toBe('8.00')
})
