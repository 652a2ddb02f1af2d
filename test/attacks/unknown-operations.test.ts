import { describe, expect, test } from 'vitest'
import { Catalogue } from '../../src/catalogue.js'
import { vendors } from '../../vendors/index.js'
import { listed, pathOf } from './plausible.js'
import { onStage, type Attack, type VendorName } from './stage.js'

const NAMES = ['stripe', 'twilio', 'resend'] as const
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const ACCOUNT = `AC${'a'.repeat(32)}`

const tableOf = (name: VendorName) => {
  const vendor = vendors.find((each) => each.name === name)!
  return { vendor, catalogue: new Catalogue(vendor) }
}

/** Paths that no list, no SDK and no vendor knows. */
const INVENTED: Readonly<Record<VendorName, readonly string[]>> = {
  stripe: [
    'POST /v1/money',
    'POST /v1/refunds/re_1/again',
    'POST /v1/payment_intents/pi_1/settle',
    'POST /v1/customers/cus_A/gifts',
    'GET /v1/refunds/re_1/secret',
    'POST /v2/money_management/give_away',
    'POST /v3/refunds',
    'POST /oauth/everything',
  ],
  twilio: [
    `POST /2010-04-01/Accounts/${ACCOUNT}/Faxes.json`,
    `POST /2010-04-01/Accounts/${ACCOUNT}/Messages/SM1/Again.json`,
    `POST /2008-08-01/Accounts/${ACCOUNT}/SMS/Messages`,
    `POST /2010-04-01/Accounts/${ACCOUNT}/SMS/Messages.json`,
    'POST verify.twilio.com/v2/Everything',
    'POST messaging.twilio.com/v9/Services',
    'GET accounts.twilio.com/v1/AuthTokens/Primary',
  ],
  resend: [
    'POST /emails/all',
    'POST /emails/batch/later',
    'POST /broadcasts/b1/resend',
    'GET /keys',
    'POST /v1/emails',
  ],
}

/** Every known path under each method that it is not known with. */
function swapped(name: VendorName): [string, string][] {
  const { vendor } = tableOf(name)
  const known = new Set(vendor.operations.flatMap(({ routes }) => routes.map(shape)))
  const paths = new Set(vendor.operations.flatMap(({ routes }) => routes.map((route) => route.split(' ')[1]!)))
  return [...paths].flatMap((path) =>
    METHODS.filter((method) => !known.has(shape(`${method} ${path}`))).map((method): [string, string] => [
      method,
      path,
    ]),
  )
}

const shape = (route: string): string => route.replace(/\{[^}]*\}/g, '{}')
/** No id, so that it is not taken for one where a path has a word instead. */
const filled = (path: string): string => path.replace(/\{AccountSid\}/g, ACCOUNT).replace(/\{[^}]*\}/g, 'x1')

describe.each(NAMES)('%s', (name) => {
  const { catalogue } = tableOf(name)

  test('nothing that is published is unknown', () => {
    const rows = listed(name)
    const unknown = rows.filter((row) => catalogue.match(row.method, pathOf(name, row, ACCOUNT)) === null)
    expect(unknown.map(({ method, host, path }) => `${method} ${host}${path}`)).toEqual([])
  })

  test('what is invented is unknown', () => {
    const known = INVENTED[name].filter((line) => {
      const [method, path] = line.split(' ') as [string, string]
      return catalogue.match(method, path) !== null
    })
    expect(known).toEqual([])
  })

  test('a known path under a method of another operation is unknown', () => {
    const swaps = swapped(name)
    expect(swaps.length).toBeGreaterThan(200)
    // A word where another route has an id is that route's id: `PUT /x/default` may be `PUT /x/{id}`.
    const known = swaps.flatMap(([method, path]) => {
      const match = catalogue.match(method, filled(path))
      const own = match?.operation.routes.some((route) => holesIn(route) > holesIn(path))
      return match === null || own ? [] : [`${method} ${path}: ${match.operation.id}`]
    })
    expect(known).toEqual([])
  })
})

const holesIn = (text: string): number => text.split('{').length - 1

describe('and refused over the wire', () => {
  const stage = onStage()
  const PER_VENDOR = 20

  const attack = (name: VendorName, method: string, path: string): Attack => ({
    vendor: name,
    line: `${method} /${name}${path.startsWith('/') ? '' : '/'}${path}`,
  })

  test.each(NAMES)('%s: what is invented', async (name) => {
    for (const line of INVENTED[name]) {
      const [method, path] = line.split(' ') as [string, string]
      await stage.refuses(attack(name, method, path), 'operation_unknown')
    }
  })

  test.each(NAMES)(`%s: ${PER_VENDOR} known paths under another method, from the first to the last`, async (name) => {
    const { catalogue } = tableOf(name)
    const swaps = swapped(name).filter(([method, path]) => catalogue.match(method, filled(path)) === null)
    for (let i = 0; i < PER_VENDOR; i++) {
      const [method, path] = swaps[Math.floor((i * swaps.length) / PER_VENDOR)]!
      await stage.refuses(attack(name, method, filled(path)), 'operation_unknown')
    }
  })
})
