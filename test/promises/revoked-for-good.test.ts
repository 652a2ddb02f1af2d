import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LedgerConflict, LedgerFault, type NewKey } from '../../src/contracts/ledger.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { agrees } from '../helpers/agreement.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { books, codeOf, HOUR, pay, seenBy, startWorld, travel } from '../pipeline/given.js'

/*
 * A revoked key is revoked for good: nothing the operator or the program can do makes it, or anything below it, act again.
 */

let world: World
let root: IssuedKey
let child: IssuedKey
let first: object
beforeAll(async () => {
  world = await startWorld()
})
beforeEach(async () => {
  root = await world.key()
  child = await world.must('POST', `/keys/${root.id}/runs`, {})
  expect((await pay(world, child.key, 100)).status).toBe(200)
  first = await world.must('POST', `/keys/${root.id}/revoke`, { reason: 'it is over' })
})
afterAll(async () => {
  expect((await books(world)).held).toBe('0.00')
  await agrees(world)
  await world.close()
})

async function stillRevoked(): Promise<void> {
  const { result, requests, connections } = await seenBy(world.stripe, () =>
    Promise.all([root, child].map(({ key }) => pay(world, key, 100))),
  )
  expect(result.map(codeOf)).toEqual(['key_revoked', 'key_revoked'])
  expect([requests, connections]).toEqual([[], 0])
  for (const { id } of [root, child]) expect((await world.must('GET', `/keys/${id}`)).status).toBe('revoked')
  expect(await world.must('POST', `/keys/${root.id}/revoke`, { reason: 'once more' })).toEqual(first)
}

describe('the admin API', () => {
  test('has no call that takes a revocation back', async () => {
    const reply = await request(`${world.server.adminUrl}/admin/openapi.json`, {
      headers: { authorization: `Bearer ${REAL.admin}` },
    })
    const { paths } = (await reply.body.json()) as { paths: Record<string, object> }
    const changing = Object.entries(paths)
      .filter(([path]) => path.startsWith('/admin/v1/keys/{id}'))
      .flatMap(([path, methods]) =>
        Object.keys(methods)
          .filter((method) => method !== 'get')
          .map((method) => [method, path.replace('{id}', root.id)] as const),
      )
    expect(changing.length).toBeGreaterThan(3)
    const { policy } = await world.must('GET', `/keys/${root.id}`)
    for (const [method, path] of changing) {
      if (path.endsWith('/revoke')) continue
      const answer = await world.admin(method.toUpperCase(), path.replace('/admin/v1', ''), { policy })
      expect([path, answer.status >= 400]).toEqual([path, true])
    }
    await stillRevoked()
  })

  test.each([
    ['narrow', { daily_cap_usd: '5.00' }],
    ['runs', {}],
  ])('refuses to %s it', async (what, body) => {
    for (const { id } of [root, child])
      expect((await world.admin('POST', `/keys/${id}/${what}`, body)).status).toBe(409)
    await stillRevoked()
  })

  test('refuses to reissue it', async () => {
    const { policy } = await world.must('GET', `/keys/${root.id}`)
    for (const { id } of [root, child])
      expect((await world.admin('POST', `/keys/${id}/reissue`, { policy })).status).toBe(409)
    await stillRevoked()
  })

  test('lifts freezes of it, and that changes nothing', async () => {
    await world.must('POST', '/freeze', { key: root.id })
    await world.must('POST', '/unfreeze', { key: root.id })
    await stillRevoked()
  })
})

test('neither time nor a restart brings it back', async () => {
  travel(world, 48 * HOUR)
  await world.server.stop()
  await world.serve()
  await stillRevoked()
})

test('a program that writes to the ledger itself does not, either', async () => {
  await world.server.stop()
  const ledger = openSqlite({ file: join(world.dir, 'data', 'spendgate.db'), clock: world.clock })
  const record = ledger.key(root.id)!
  const below: NewKey = {
    ...record,
    id: 'key_below',
    publicId: 'a'.repeat(32),
    digest: 'b'.repeat(64),
    parentId: root.id,
    actor: 'test',
  }
  const again = { ...below, id: 'key_again', parentId: null }
  await expect(ledger.addKey({ ...below, id: root.id })).rejects.toThrow(LedgerConflict)
  // Whatever has the same secret is the same key, and there is room for one.
  await expect(ledger.addKey({ ...again, digest: record.digest })).rejects.toThrow(LedgerFault)
  await expect(ledger.addKey({ ...again, publicId: record.publicId })).rejects.toThrow(LedgerFault)
  await ledger.addKey(below)
  await ledger.narrowKey(root.id, { daily_cap_usd: '1.00' }, 'test')
  await ledger.unfreeze({ kind: 'key', value: root.id }, 'test')
  await ledger.revoke(root.id, 'again', 'test')
  for (const id of [root.id, child.id, 'key_below'])
    expect(ledger.stands(ledger.key(id)!, 'run_x', 'stripe')).toMatchObject({ code: 'key_revoked' })
  await ledger.close()
  await world.serve()
  await stillRevoked()
})
