import { describe, test } from 'vitest'
import { onStage, stripe } from './stage.js'

const stage = onStage()
const rules = (allow: readonly string[], deny: readonly string[] = []) => ({
  vendors: { stripe: { endpoints: { allow, deny } } },
})

describe('what is denied on one route is denied on every route it has', () => {
  test.each([
    ['POST /v1/refunds', '/v1/charges/ch_A/refund', 'amount=100'],
    ['POST /v1/refunds', '/v1/charges/ch_A/refunds', 'amount=100'],
    ['POST /v1/refunds*', '/v1/charges/ch_A/refund', 'amount=100'],
    ['* /v1/refunds', '/v1/charges/ch_A/refund', 'amount=100'],
    ['POST /v1/charges/*/refund', '/v1/refunds', 'charge=ch_A&amount=100'],
    ['POST /v1/subscriptions', '/v1/customers/cus_A/subscriptions', 'items[0][price]=price_month'],
    ['POST /v1/customers/*/subscriptions', '/v1/subscriptions', 'customer=cus_A&items[0][price]=price_month'],
    ['POST /v1/subscriptions/*', '/v1/customers/cus_A/subscriptions/sub_A', 'items[0][price]=price_month'],
  ])('deny %s: POST %s', async (deny, path, body) => {
    await stage.refuses(stripe(path, body), 'operation_not_allowed', { policy: rules(['* *'], [deny]) })
  })

  test('also for a method without a body', async () => {
    await stage.refuses({ line: 'DELETE /stripe/v1/customers/cus_A/subscriptions/sub_A' }, 'operation_not_allowed', {
      policy: rules(['* *'], ['DELETE /v1/subscriptions/*']),
    })
  })
})

describe('what is allowed on one route is allowed on that one', () => {
  test.each([
    ['POST /v1/refunds', '/v1/charges/ch_A/refund', 'amount=100'],
    ['POST /v1/customers*', '/v1/subscriptions', 'customer=cus_A&items[0][price]=price_month'],
    ['GET *', '/v1/refunds', 'charge=ch_A&amount=100'],
    ['POST /v1/refund', '/v1/refunds', 'charge=ch_A&amount=100'],
    ['POST /V1/REFUNDS', '/v1/refunds', 'charge=ch_A&amount=100'],
  ])('allow %s: POST %s', async (allow, path, body) => {
    await stage.refuses(stripe(path, body), 'operation_not_allowed', { policy: rules([allow]) })
  })
})
