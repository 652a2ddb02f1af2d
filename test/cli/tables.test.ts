import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PriceSync } from '../../src/admin/deps.js'
import { TOKEN, TWILIO, World } from '../admin/world.js'
import { Terminal } from './terminal.js'

/* Rates and prices by command, against the real admin API. The vendor's price lists are a promise that tests keep. */

let world: World
let terminal: Terminal
let answer: (wish: Parameters<PriceSync>[1]) => ReturnType<PriceSync>

beforeEach(async () => {
  world = await World.start({ priceSyncs: { twilio: (_credential, wish) => answer(wish) } })
  terminal = new Terminal({ SPENDGATE_URL: `http://127.0.0.1:${world.port}`, SPENDGATE_ADMIN_TOKEN: TOKEN })
  await world.credential('twilio', 'main', TWILIO)
})
afterEach(async () => {
  terminal.close()
  await world.close()
})

describe('a table that is shown', () => {
  test.each([
    ['2026-11-21', '30', 'in 31 days (from 2026-12-22 on)'],
    ['2026-10-22', '30', 'in 1 day (from 2026-11-22 on)'],
    ['2026-10-21', '30', 'since 2026-11-21: what it would price is refused'],
  ])('of %s, believed for %s days, says when it is stale', async (asOf, days, sentence) => {
    await terminal.run('rates', 'set', 'eur=1.09', '--as-of', asOf, '--max-age-days', days)
    expect((await terminal.run('rates', 'show')).out).toContain(`  stale    ${sentence}\n`)
  })

  test('says so for prices too, and nothing where there is no table', async () => {
    expect((await terminal.run('prices', 'show', 'twilio')).out).toContain('in 90 days (from 2027-02-19 on)')
    expect((await terminal.run('prices', 'show', 'resend')).out).not.toContain('stale')
  })
})

describe('prices sync', () => {
  const table = (wish: Parameters<PriceSync>[1], seg = '0.0085') => ({
    table: { ...wish.inForce, as_of: wish.asOf, prefixes: { sms: { '+1': { iso: 'US,CA', seg } } } },
  })

  test('waits until the server has read them, says how far it is, and sums up', async () => {
    let looks = 0
    answer = async (wish) => {
      wish.walked(0, 20)
      for (; looks < 4; looks++) {
        await new Promise((resolve) => setImmediate(resolve))
        wish.walked(5 * (looks + 1), 20)
      }
      return table(wish)
    }
    const { exit, out } = await terminal.run('prices', 'sync', 'twilio')
    expect(exit).toBe(0)
    expect(out).toMatch(/rows +sms 1, flat 1\n/)
    expect(out).toMatch(/taken over +verify\.approved\n/)
    expect(out).toMatch(/no longer priced +0\n/)
    expect(terminal.pauses.every((ms) => ms === 1_000)).toBe(true)
    expect(world.ledger.setting('prices:twilio')).toMatchObject({ as_of: '2026-11-21' })
  })

  test('tells of every tenth that is read', async () => {
    let resolve = (): void => {}
    const promise = new Promise<void>((done) => (resolve = done))
    answer = async (wish) => {
      wish.walked(7, 20)
      await promise
      return table(wish)
    }
    const begun = terminal.run('prices', 'sync', 'twilio', '--json')
    while (terminal.pauses.length < 3) await new Promise((next) => setImmediate(next))
    resolve()
    const { err, json } = await begun
    expect(err).toBe('7 of 20 price lists are read.\n')
    expect(json).toMatchObject({ state: 'done', done: 7, of: 20, rows: { sms: 1, flat: 1 } })
  })

  test('stores a leap only with --confirm, and names it', async () => {
    answer = (wish) => Promise.resolve(table(wish, '0.0200'))
    const leap = await terminal.run('prices', 'sync', 'twilio')
    expect(leap.exit).toBe(1)
    expect(leap.err).toContain('1 price changes by more than 20 %')
    expect(leap.err).toContain('repeat with --confirm')
    expect(leap.err).toContain('prefixes.sms.+1.seg changes from 0.0083 to 0.0200')
    expect(world.ledger.setting('prices:twilio')).toBeUndefined()
    expect((await terminal.run('prices', 'sync', 'twilio', '--confirm')).exit).toBe(0)
  })

  test('ends with 1 and the sentence when there are none', async () => {
    answer = () => Promise.resolve({ why: 'Twilio bills this account in EUR.' })
    const { exit, err, out } = await terminal.run('prices', 'sync', 'twilio', '--credential', 'main')
    expect([exit, out]).toEqual([1, ''])
    expect(err).toContain('bills this account in EUR. Nothing was stored.')
  })

  test('is refused for a vendor that lists no prices and a credential that is not there', async () => {
    expect((await terminal.run('prices', 'sync', 'stripe')).exit).toBe(2)
    const { exit, err } = await terminal.run('prices', 'sync', 'twilio', '--credential', 'other')
    expect(exit).toBe(1)
    expect(err).toContain('There is no credential of twilio of this id or name')
  })
})
