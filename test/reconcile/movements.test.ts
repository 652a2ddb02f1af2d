import Database from 'better-sqlite3'
import fc from 'fast-check'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import { formatUsd, parseUsd, usd } from '../../src/contracts/money.js'
import { verify } from '../../src/ledger/verify.js'
import type { World } from '../helpers/world.js'
import { DAY_MS, link, movementsOf, onFile, reconciled, SIGNING, spentByKey, subscribe, toldWorld } from './told.js'

let world: World
let endpoint: Endpoint
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
})
afterEach(() => world.close())

/** What the book's proof says of a copy of the file after somebody wrote in it. */
async function faultsAfter(sql: string): Promise<readonly string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-movements-'))
  try {
    await world.server.stop()
    cpSync(join(world.dir, 'data', 'spendgate.db'), join(dir, 'copy.db'))
    await world.serve()
    const db = new Database(join(dir, 'copy.db'))
    // Whoever can write the file can take its triggers away too.
    for (const name of db.prepare(`select name from sqlite_schema where type = 'trigger'`).pluck().all() as string[])
      db.exec(`drop trigger ${name}`)
    db.exec(sql)
    const faults = verify(db)
    db.close()
    return faults
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

describe('the book of what moved without a call', () => {
  onFile('it is proved against its entries, whatever of a row is changed', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    world.stripe.byItself.refundAtDashboard('ch_A', 1_500)
    await endpoint.deliver()
    expect(await faultsAfter('select 1')).toEqual([])
    for (const change of [
      'update movements set amount = amount + 1 where explained = 0',
      'update movements set counted = counted - 1 where explained = 1',
      `update movements set at = at - 86400000 where explained = 1`,
      `update movements set run = 'another' where explained = 1`,
      `update movements set why = null, explained = 1 where explained = 0`,
      'delete from movements where explained = 0',
      `insert into movements (seq, at, vendor, credential_id, external_id, kind, direction, counted, counters, explained)
       values (99999, 1, 'stripe', 'cred_x', 'in_x', 'invoice', 'in', 0, '', 1)`,
      'update counters set spent = spent - 15000000 where spent >= 15000000',
      `update tallies set spent = spent - 1 where operation = ''`,
    ])
      expect([change, (await faultsAfter(change)).length > 0]).toEqual([change, true])
  })

  onFile('history: what is explained cannot be changed, and nothing of it deleted', async () => {
    const key = await world.key()
    world.stripe.byItself.payLink(await link(world, key))
    await endpoint.deliver()
    await world.server.stop()
    const db = new Database(join(world.dir, 'data', 'spendgate.db'))
    expect(() => db.exec('update movements set counted = 1')).toThrow('movements are history')
    expect(() => db.exec('delete from movements')).toThrow('movements are history')
    db.close()
    await world.serve()
  })

  test('what is known of a page outlives a restart', async () => {
    const key = await world.key()
    const made = await world.call(key.key, 'POST', '/stripe/v1/payment_links', {
      'line_items[0][price]': 'price_month',
      'line_items[0][quantity]': '1',
    })
    const session = world.stripe.byItself.payLink(made.body.id)
    await endpoint.deliver()
    await world.server.stop()
    await world.serve()
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(session['subscription'] as string)
    const again = world.stripe.endpoint(`${world.url}/webhooks/stripe`, SIGNING)
    await again.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await world.verified()).toEqual([])
  })

  test('a key issued anew takes along what moved under the old one, on budgets that one did not have', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    await endpoint.deliver()
    await world.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: 'by-vendor',
      budgets: [{ per: 'day', vendor: 'stripe', cap_usd: '20.00' }],
      vendors: { stripe: { endpoints: { allow: ['* *'] } } },
    })
    const anew = await world.must('POST', `/keys/${key.id}/reissue`, { policy: 'by-vendor' })
    const refused = await world.call(anew.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '501' })
    expect(refused.headers['x-spendgate-code']).toBe('budget_exceeded')
    const allowed = await world.call(anew.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '500' })
    expect(allowed.status).toBe(200)
    expect(await world.verified()).toEqual([])
  })

  test('it is listed newest first, by pages, by key and by whether it is explained', async () => {
    const key = await world.key()
    const id = await link(world, key)
    for (let i = 0; i < 3; i++) world.stripe.byItself.payLink(id)
    world.stripe.byItself.refundAtDashboard('ch_A', 100)
    await endpoint.deliver()
    expect(await movementsOf(world)).toHaveLength(4)
    expect(await movementsOf(world, '?explained=true')).toHaveLength(3)
    expect(await movementsOf(world, `?key=${key.id}`)).toHaveLength(3)
    expect(await movementsOf(world, '?vendor=twilio')).toEqual([])
    const first = await world.must('GET', '/movements?limit=3')
    const second = await world.must('GET', `/movements?limit=3&cursor=${first.next_cursor}`)
    expect([first.movements.length, second.movements.length, second.next_cursor]).toEqual([3, 1, null])
    expect((await world.admin('GET', '/movements?cursor=nonsense')).status).toBe(400)
    expect((await world.admin('GET', '/movements?explained=maybe')).status).toBe(400)
  })

  test('whatever moves, in whatever order it is told, each key counts what moved beyond what its calls counted', async () => {
    const keys = [await world.key(), await world.key()]
    const links = await Promise.all(keys.map((key) => link(world, key)))
    const subscriptions = await Promise.all(keys.map((key) => subscribe(world, key.key)))
    const paid = [0, 0]
    const renewed = [0, 0]
    const step = fc.record({ what: fc.constantFrom('pay', 'renew', 'around'), key: fc.nat(1), polled: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), fc.boolean(), async (steps, backwards) => {
        for (const { what, key } of steps) {
          if (what === 'pay') paid[key]! += world.stripe.byItself.payLink(links[key]!) ? 1 : 0
          else if (what === 'renew') renewed[key]! += world.stripe.byItself.renew(subscriptions[key]!) ? 1 : 0
          else world.stripe.byItself.refundAtDashboard('ch_B', 100)
        }
        const events = [...world.stripe.state.events.values()].slice(-60)
        if (steps.some(({ polled }) => polled)) await reconciled(world)
        for (const event of backwards ? events.reverse() : events)
          expect(await endpoint.post(JSON.stringify(event))).toBe(200)
        await reconciled(world)
        const counted = await spentByKey(world)
        keys.forEach(({ id }, place) => {
          const sales = 9 * Math.max(1, paid[place]!)
          expect(counted[id]).toBe(formatUsd(usd(parseUsd(`${sales + 15 + 15 * renewed[place]!}.00`)!)))
        })
        expect(await world.verified()).toEqual([])
      }),
      { numRuns: 12, interruptAfterTimeLimit: 40_000 },
    )
    expect(await movementsOf(world, '?explained=false')).toSatisfy((rows: any[]) =>
      rows.every((row) => row.kind === 'refund'),
    )
  }, 90_000)
})
