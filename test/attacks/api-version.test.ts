import { describe, expect, test } from 'vitest'
import { onStage, presented, stripe } from './stage.js'

const stage = onStage()

/** An older version has other defaults (pending items join a new invoice), a preview has operations nobody priced. */
describe('the version that is sent is the one the prices were written for', () => {
  async function versionsSent(headers: readonly string[]): Promise<(string | undefined)[]> {
    const key = await stage.key()
    stage.forget()
    const reply = await stage.send(stripe('/v1/refunds', 'charge=ch_A&amount=1', headers), presented('stripe', key))
    expect(reply.status).toBe(200)
    return stage.world.stripe.requests.map((request) => request.headers['stripe-version'])
  }

  test.each(['2020-08-27', '2011-01-01', '2026-10-28.preview', '2026-10-28.endive; feature_beta=v3', 'latest', 'x'])(
    'not %s',
    async (version) => {
      const pinned = await versionsSent([])
      expect(pinned).toHaveLength(2)
      expect(new Set(pinned).size).toBe(1)
      expect(pinned[0]).toMatch(/^\d{4}-\d{2}-\d{2}\.[a-z]+$/)
      expect(await versionsSent([`Stripe-Version: ${version}`])).toEqual(pinned)
    },
  )

  test('nor the client telemetry, nor a second idempotency key', async () => {
    await versionsSent(['X-Stripe-Client-User-Agent: {}', 'X-Stripe-Client-Telemetry: {}', 'Idempotency_Key: x'])
    for (const request of stage.world.stripe.requests) {
      expect(Object.keys(request.headers).filter((name) => name.startsWith('x-') || name.includes('_'))).toEqual([])
    }
  })
})
