import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config.js'
import { startServer } from '../../src/main.js'
import { REAL, World, type IssuedKey } from '../helpers/world.js'
import { basic, callIdOf, codeOf, rowOf, seenBy, startWorld } from './given.js'

/* What a catalogue entry can say beside a price: that it is never allowed, a preview, on another host, full of secrets. */

const ALL = { endpoints: { allow: ['* *'] } }
const permitting = (...permit: string[]) => ({ ...ALL, permit })
const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString()

describe('a hard refusal', () => {
  const tokens = `/twilio/2010-04-01/Accounts/${REAL.twilioAccount}/Tokens.json`
  const twilioKey = (world: World, permit: string[]): Promise<IssuedKey> =>
    world.key({ vendors: { twilio: permitting(...permit) } }, { vendors: ['twilio'] })
  const ask = (world: World, key: IssuedKey) =>
    world.call(key.key, 'POST', tokens, form({ Ttl: '60' }), basic(REAL.twilioAccount, key.key))
  let world: World
  afterEach(() => world.close())

  test('holds whatever a policy permits, and says who could lift it', async () => {
    world = await startWorld()
    const key = await twilioKey(world, ['future_spend', 'credential', 'routing', 'destructive', 'preview'])
    const { result, requests } = await seenBy(world.twilio, () => ask(world, key))
    expect(codeOf(result)).toBe('operation_not_allowed')
    const { operation } = await rowOf(world, callIdOf(result))
    expect(result.body.message).toContain(`starting the server with --unlock ${operation}.`)
    expect(requests).toEqual([])
  })

  test('lifted by the operator, it still needs the permit, and its secret still goes nowhere', async () => {
    world = await startWorld({ SPENDGATE_UNLOCK: 'tokens.create' })
    expect(world.server.notices.join(' ')).toContain('tokens.create is unlocked')
    expect(codeOf(await ask(world, await twilioKey(world, [])))).toBe('effect_not_permitted')
    const answer = await ask(world, await twilioKey(world, ['credential']))
    expect(answer.status).toBe(200)
    expect(answer.text).not.toContain('made_up_secret')
  })

  test('a misspelt exception is no exception: the server does not start', async () => {
    world = await startWorld()
    const config = readConfig({
      SPENDGATE_PORT: '0',
      SPENDGATE_ADMIN_PORT: '0',
      SPENDGATE_DATA_DIR: `${world.dir}/other`,
      SPENDGATE_UNLOCK: 'tokens.creat',
    })
    await expect(startServer(config)).rejects.toThrow('SPENDGATE_UNLOCK names no operation: tokens.creat')
  })
})

describe('of a catalogue entry', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const stripe = (permit: string[]): Promise<IssuedKey> =>
    world.key({ vendors: { stripe: { ...permitting(...permit), connected_accounts: ['*'] } } })

  describe('preview', () => {
    test('a wildcard does not open what the vendor is still trying out, and neither does the permit of its effect', async () => {
      const path = '/stripe/v1/privacy/redaction_jobs'
      for (const permit of [[], ['destructive', 'future_spend', 'credential', 'routing']]) {
        const { result, requests } = await seenBy(world.stripe, async () =>
          world.call((await stripe(permit)).key, 'POST', path, {}),
        )
        expect(codeOf(result)).toBe('effect_not_permitted')
        expect(result.body.error.message).toContain('preview')
        expect(requests).toEqual([])
      }
      expect((await world.call((await stripe(['preview'])).key, 'POST', path, {})).status).toBe(200)
    })
  })

  describe('reveals', () => {
    const read = (key: IssuedKey) => world.call(key.key, 'GET', '/stripe/v1/issuing/cards/ic_1')
    test('what leads past spendgate is taken out of a reply, and the rest of it is there', async () => {
      const answer = await read(await stripe([]))
      expect(answer.status).toBe(200)
      expect(answer.body).toMatchObject({ id: 'ic_1' })
      expect(answer.body).not.toHaveProperty('number')
      expect(answer.body).not.toHaveProperty('cvc')
    })

    test('unless every policy permits credentials', async () => {
      expect((await read(await stripe(['credential']))).body).toHaveProperty('number')
      const parent = await stripe(['credential'])
      const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'r' })
      await world.must('POST', `/keys/${child.id}/narrow`, { vendors: { stripe: { permit: [] } } })
      expect((await read(child)).body).not.toHaveProperty('number')
      expect((await read(parent)).body).toHaveProperty('number')
    })
  })

  describe('linksBack', () => {
    test('the next page of a Twilio list is fetched here, not at Twilio with a vault key', async () => {
      const key = await world.key({}, { vendors: ['twilio'] })
      const authorization = basic(REAL.twilioAccount, key.key)
      const list = await world.call(key.key, 'GET', '/twilio/verify.twilio.com/v2/Services', undefined, authorization)
      expect(list.status).toBe(200)
      expect(list.text).not.toContain('https://verify.twilio.com')
      const { next_page_url: next, first_page_url: first } = list.body.meta
      const page = (next ?? first) as string
      expect(page.startsWith(`${world.url}/twilio/verify.twilio.com/v2/Services`)).toBe(true)
      const followed = await world.call(key.key, 'GET', page.slice(world.url.length), undefined, authorization)
      expect(followed.status).toBe(200)
    })

    test('under a run, in the run', async () => {
      const key = await world.key({}, { vendors: ['twilio'] })
      const authorization = basic(REAL.twilioAccount, key.key)
      const path = '/run/r9/twilio/verify.twilio.com/v2/Services'
      const { body } = await world.call(key.key, 'GET', path, undefined, authorization)
      expect(body.meta.first_page_url).toContain(`${world.url}/run/r9/twilio/verify.twilio.com/`)
    })
  })

  describe('a pinned API version', () => {
    const body = (version: string) => ({
      vendor: 'stripe',
      name: `pinned-${version}`,
      secret: { api_key: REAL.stripeTest },
      api_version: version,
    })

    test('goes out with every call and look-up under its credential', async () => {
      const credential = await world.must('POST', '/credentials', body('2026-10-28.preview'))
      expect(credential.api_version).toBe('2026-10-28.preview')
      await world.must('POST', '/policies', { apiVersion: 'spendgate/v1', name: 'pinned', vendors: { stripe: ALL } })
      const key: IssuedKey = await world.must('POST', '/keys', {
        name: 'pinned',
        policy: 'pinned',
        credentials: [credential.id],
      })
      const { requests } = await seenBy(world.stripe, () =>
        world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '100' }),
      )
      expect(requests.length).toBeGreaterThan(0)
      expect(new Set(requests.map(({ headers }) => headers['stripe-version']))).toEqual(new Set(['2026-10-28.preview']))
    })

    test('must be one the prices are right for', async () => {
      const answer = await world.admin('POST', '/credentials', body('2020-08-27'))
      expect(answer.status).toBe(400)
      expect(answer.body.errors[0].path).toBe('api_version')
    })

    test('is nothing for a vendor without versions', async () => {
      const secret = { api_key: REAL.resend }
      const answer = await world.admin('POST', '/credentials', {
        vendor: 'resend',
        name: 'pinned',
        secret,
        api_version: '1',
      })
      expect(answer.status).toBe(400)
    })
  })
})
