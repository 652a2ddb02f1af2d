import { test } from 'vitest'
import { World } from '../helpers/world.js'
test('probe', async () => {
  const w = await World.start()
  const k = await w.key()
  const a = await w.call(k.presentations.stripe![0]!, 'POST', '/stripe/v1/payment_intents', { amount: '1000', currency: 'usd', confirm: 'true', payment_method: 'pm_card_visa', 'metadata[n]': 'x1' }, {'idempotency-key': 'abc'})
  console.log(a.status, a.headers, a.text.slice(0, 1500))
  const b = await w.call(k.presentations.stripe![0]!, 'POST', '/stripe/v1/refunds', { amount: '500', charge: a.body.latest_charge, 'metadata[n]': 'x1' }, {'idempotency-key': 'abcd'})
  console.log(b.status, b.headers, b.text.slice(0, 800))
  console.log(w.stripe.requests.map(r => [r.method, r.path, r.body, r.headers]))
  console.log(await w.calls())
  console.log(w.stripe.moved())
  await w.close()
})
