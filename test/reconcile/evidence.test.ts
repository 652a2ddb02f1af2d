import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { usd, ZERO } from '../../src/contracts/money.js'
import type { KeptRequest } from '../../src/contracts/records.js'
import type { Explanation } from '../../src/contracts/vendor.js'
import { openEvidence, sealEvidence } from '../../src/reconcile/evidence.js'

const namespaceOf =
  (secret: string) =>
  (principal: string, key: string): string =>
    `sg_${createHmac('sha256', secret).update(`${principal}\n${key}`).digest('base64url')}`
const namespace = namespaceOf('a secret')

const REQUEST: KeptRequest = {
  method: 'POST',
  host: 'api.stripe.com',
  target: '/v1/refunds',
  body: 'charge=ch_CANARY',
  contentType: 'application/x-www-form-urlencoded',
  headers: ['stripe-account', 'acct_1'],
}
const EXPLANATION: Explanation = {
  quote: { basis: 'exact', amount: usd(5_000_000n) },
  subjects: {},
  settle: usd(4_900_000n),
  effects: ['future_spend'],
  commits: { kind: 'open', perMonth: ZERO, dueAt: 7, quantity: 2n ** 60n },
}
const seal = (request = REQUEST): string | null => sealEvidence('call_1', request, 'sg_x', EXPLANATION, namespace)

describe('what is kept of a call in doubt', () => {
  test('opens as it was, amounts to the last digit', () => {
    expect(openEvidence('call_1', seal(), namespace)).toEqual({
      request: REQUEST,
      upstreamKey: 'sg_x',
      settle: usd(4_900_000n),
      effects: ['future_spend'],
      commits: EXPLANATION.commits,
    })
  })

  test('is unreadable without the secret, and for any other call', () => {
    expect(seal()).not.toContain('CANARY')
    expect(Buffer.from(seal()!.split('.').at(-1)!, 'base64url').toString('latin1')).not.toContain('CANARY')
    expect(openEvidence('call_2', seal(), namespace)).toBeNull()
    expect(openEvidence('call_1', seal(), namespaceOf('another secret'))).toBeNull()
    expect(openEvidence('call_1', 'nonsense', namespace)).toBeNull()
    expect(openEvidence('call_1', null, namespace)).toBeNull()
  })

  test('is nothing at all where the request is large', () => {
    expect(seal({ ...REQUEST, body: 'x'.repeat(256 * 1024) })).not.toBeNull()
    expect(seal({ ...REQUEST, body: 'x'.repeat(256 * 1024 + 1) })).toBeNull()
  })
})
