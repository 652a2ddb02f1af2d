import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SeenRequest } from '../../fixtures/simulators/index.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { basic, books, callIdOf, codeOf, refusals, rowOf, seenBy, startWorld } from './given.js'

let world: World
/** A key for every vendor, and one for Stripe alone. */
let wide: IssuedKey
let narrow: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  wide = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
  narrow = await world.key()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

type VendorName = 'stripe' | 'twilio' | 'resend'
interface Address {
  readonly form: string
  readonly vendor: VendorName
  readonly path: string
  readonly headers?: () => Record<string, string>
  readonly key?: () => string
  readonly arrives: string
}

const account = (): string => world.twilio.accountSid
const skin = (): Record<string, string> => basic(wide.presentations.twilio!.api_key_sid, wide.key)

const ADDRESSES: readonly Address[] = [
  { form: 'prefix and bare key', vendor: 'stripe', path: '/stripe/v1/customers/cus_A', arrives: '/v1/customers/cus_A' },
  {
    form: 'prefix and query',
    vendor: 'stripe',
    path: '/stripe/v1/charges?customer=cus_A&limit=1',
    arrives: '/v1/charges?customer=cus_A&limit=1',
  },
  { form: 'run path', vendor: 'stripe', path: '/run/run_7/stripe/v1/customers/cus_A', arrives: '/v1/customers/cus_A' },
  {
    form: 'root by key form',
    vendor: 'stripe',
    path: '/v1/customers/cus_A',
    key: () => `rk_${wide.key}`,
    arrives: '/v1/customers/cus_A',
  },
  {
    form: 'root by key form as Basic user',
    vendor: 'stripe',
    path: '/v1/customers/cus_A',
    headers: () => basic(`sk_${wide.key}`, ''),
    arrives: '/v1/customers/cus_A',
  },
  {
    form: 'root by the single vendor of the key',
    vendor: 'stripe',
    path: '/v1/customers/cus_A',
    key: () => narrow.key,
    arrives: '/v1/customers/cus_A',
  },
  {
    form: 'host name',
    vendor: 'stripe',
    path: '/v1/customers/cus_A',
    headers: () => ({ host: 'stripe.localhost:4242' }),
    arrives: '/v1/customers/cus_A',
  },
  {
    form: 'host name of any domain, in any case',
    vendor: 'stripe',
    path: '/v1/customers/cus_A',
    headers: () => ({ host: 'Stripe.proxy.internal' }),
    arrives: '/v1/customers/cus_A',
  },
  {
    form: 'prefix and host name that agree',
    vendor: 'stripe',
    path: '/stripe/v1/customers/cus_A',
    headers: () => ({ host: 'stripe.localhost' }),
    arrives: '/v1/customers/cus_A',
  },
  {
    form: 'prefix',
    vendor: 'twilio',
    path: '/twilio/2010-04-01/Accounts/ACCOUNT/Messages.json',
    arrives: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
  },
  {
    form: 'prefix and another product',
    vendor: 'twilio',
    path: '/twilio/lookups.twilio.com/v2/PhoneNumbers/+14155550123',
    arrives: '/v2/PhoneNumbers/%2B14155550123',
  },
  {
    form: 'prefix and the main host',
    vendor: 'twilio',
    path: '/twilio/api.twilio.com/2010-04-01/Accounts/ACCOUNT/Messages.json',
    arrives: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
  },
  {
    form: 'root by Basic SK',
    vendor: 'twilio',
    path: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
    headers: skin,
    arrives: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
  },
  {
    form: 'root by Basic AC',
    vendor: 'twilio',
    path: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
    headers: () => basic(account(), wide.key),
    arrives: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
  },
  {
    form: 'host name',
    vendor: 'twilio',
    path: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
    headers: () => ({ host: 'twilio.localhost' }),
    arrives: '/2010-04-01/Accounts/ACCOUNT/Messages.json',
  },
  { form: 'prefix', vendor: 'resend', path: '/resend/emails', arrives: '/emails' },
  { form: 'root by key form', vendor: 'resend', path: '/emails', key: () => `re_${wide.key}`, arrives: '/emails' },
  {
    form: 'host name',
    vendor: 'resend',
    path: '/emails',
    headers: () => ({ host: 'resend.localhost' }),
    arrives: '/emails',
  },
]

describe('an agent may call a vendor by', () => {
  test.each(ADDRESSES)('$vendor: $form', async ({ vendor, path, headers, key, arrives }) => {
    const filled = (text: string): string => text.replace('ACCOUNT', account())
    const { result, requests } = await seenBy(world[vendor], () =>
      world.call((key ?? (() => wide.key))(), 'GET', filled(path), undefined, headers?.()),
    )
    expect(result.status).toBe(200)
    expect(requests.map((each: SeenRequest) => each.path)).toEqual([filled(arrives)])
    expect(await rowOf(world, callIdOf(result))).toMatchObject({ vendor, state: 'settled', surface: 'rest' })
  })
})

interface Wrong {
  readonly when: string
  readonly path: string
  readonly key?: () => string
  readonly headers?: () => Record<string, string>
  readonly code: string
  readonly shape: VendorName
}

const WRONG: readonly Wrong[] = [
  {
    when: 'a root path and a bare key for several vendors',
    path: '/v1/customers/cus_A',
    code: 'vendor_not_granted',
    shape: 'stripe',
  },
  {
    when: 'a root path of another vendor and a bare key for several',
    path: '/emails',
    code: 'vendor_not_granted',
    shape: 'stripe',
  },
  {
    when: 'a prefix the key has no credential for',
    path: '/resend/emails',
    key: () => narrow.key,
    code: 'vendor_not_granted',
    shape: 'resend',
  },
  {
    when: 'a root path the key has no credential for',
    path: '/emails',
    key: () => narrow.key,
    code: 'vendor_not_granted',
    shape: 'stripe',
  },
  {
    when: 'prefix and key form name different vendors',
    path: '/twilio/2010-04-01/Accounts.json',
    key: () => `rk_${wide.key}`,
    code: 'request_ambiguous',
    shape: 'twilio',
  },
  {
    when: 'prefix and host name different vendors',
    path: '/stripe/v1/customers/cus_A',
    headers: () => ({ host: 'resend.localhost' }),
    code: 'request_ambiguous',
    shape: 'stripe',
  },
  {
    when: 'host and key form name different vendors',
    path: '/v1/customers/cus_A',
    headers: () => ({ host: 'twilio.localhost' }),
    key: () => `sk_${wide.key}`,
    code: 'request_ambiguous',
    shape: 'twilio',
  },
  {
    when: 'root path and key form name different vendors',
    path: '/emails',
    key: () => `rk_${wide.key}`,
    code: 'request_ambiguous',
    shape: 'stripe',
  },
]

describe('an address that names no vendor, or two, is refused with a row', () => {
  test.each(WRONG)('$when: $code', async ({ path, key, headers, code, shape }) => {
    const before = [world.stripe, world.twilio, world.resend].map((vendor) => [
      vendor.requests.length,
      vendor.connections,
    ])
    const answer = await world.call((key ?? (() => wide.key))(), 'GET', path, undefined, headers?.())
    expect(answer.status).toBe(403)
    expect(codeOf(answer)).toBe(code)
    expect(shapeOf(answer.body)).toBe(shape)
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'denied', decision: { code } })
    expect(
      [world.stripe, world.twilio, world.resend].map((vendor) => [vendor.requests.length, vendor.connections]),
    ).toEqual(before)
  })

  test('without a known key a path of a vendor is 401 and leaves no row', async () => {
    const rows = (await world.calls()).length
    const before = await refusals(world, 'key_unknown')
    for (const path of [
      '/v1/charges',
      '/stripe/v1/charges',
      '/emails',
      '/2010-04-01/Accounts.json',
      '/run/run_1/resend/emails',
    ]) {
      const answer = await world.call('nonsense', 'GET', path)
      expect([answer.status, codeOf(answer)]).toEqual([401, 'key_unknown'])
    }
    expect((await refusals(world, 'key_unknown')) - before).toBe(5)
    expect(await world.calls()).toHaveLength(rows)
  })

  test.each(['/', '/favicon.ico', '/admin/v1/keys', '/healthz', '/run/run_7/github/user', '/stripes/v1/charges'])(
    '%s belongs to no vendor: a plain 404, and no row even under a known key',
    async (path) => {
      const rows = (await world.calls()).length
      const answer = await world.call(narrow.key, 'GET', path)
      expect(answer.status).toBe(404)
      expect(answer.headers['content-type']).toContain('text/plain')
      expect(answer.headers['x-spendgate-call-id']).toBeUndefined()
      expect(await world.calls()).toHaveLength(rows)
    },
  )
})

function shapeOf(body: any): VendorName {
  if (body.error?.type !== undefined) return 'stripe'
  return body.statusCode !== undefined ? 'resend' : 'twilio'
}
