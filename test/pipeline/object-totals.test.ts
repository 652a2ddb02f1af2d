import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const TABLE = new URL('../../fixtures/totals/payment-intents.txt', import.meta.url)
const rows = readFileSync(TABLE, 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  .map((line) => line.split('|').map((part) => part.trim()) as [string, string])

/** One call on the row's intent. Absent words are what the vendor's default is. */
async function act(key: IssuedKey, id: string, step: string): Promise<Answer> {
  const [verb, ...words] = step.split(' ')
  const amount = words.at(-1)?.match(/^\d+$/)?.[0]
  const intents = '/stripe/v1/payment_intents'
  const post = (path: string, form: Record<string, string>): Promise<Answer> => world.call(key.key, 'POST', path, form)
  switch (verb) {
    case 'create':
      return post(intents, {
        amount: amount!,
        currency: 'usd',
        customer: 'cus_A',
        payment_method: 'pm_card_visa',
        ...(words.includes('manual') && { capture_method: 'manual' }),
      })
    case 'update':
      return post(`${intents}/${id}`, { amount: amount! })
    case 'confirm':
      return post(`${intents}/${id}/confirm`, {})
    case 'increment':
      return post(`${intents}/${id}/increment_authorization`, { amount: amount! })
    case 'capture':
      return post(`${intents}/${id}/capture`, amount === undefined ? {} : { amount_to_capture: amount })
    case 'cancel':
      return post(`${intents}/${id}/cancel`, {})
    case 'refund':
      return post('/stripe/v1/refunds', { payment_intent: id, amount: amount! })
    default:
      throw new Error(`no such step: ${step}`)
  }
}

describe('an intent counts', () => {
  test.each(rows)('%s', async (steps, expected) => {
    const key = await world.key({ daily_cap_usd: '100.00' })
    const seen: string[] = []
    let id = ''
    for (const step of steps.split('; ')) {
      const answer = await act(key, id, step)
      if (step.startsWith('create')) id = answer.body.id
      expect([200, 403], `${step}: ${answer.text}`).toContain(answer.status)
      const { spent_usd: spent } = await world.must('GET', `/keys/${key.id}`)
      seen.push(`${answer.status === 403 ? '!' : ''}${spent}`)
    }
    expect(seen.join(' ')).toBe(expected)
  })
})
