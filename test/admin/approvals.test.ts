import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { draft, HOUR, refuse } from '../ledger/book.js'
import { World } from './world.js'

/* What agents ask, as the operator lists and decides it. */

let world: World
beforeEach(async () => {
  world = await World.start()
})
afterEach(async () => {
  world.expectNoSecrets()
  expect(await world.ledger.verify()).toEqual([])
  await world.close()
})

/** A refused call that asks for an approval, as the pipeline would book it; the id of the request. */
async function asked(keyId: string, requestHash = 'ab'.repeat(32)): Promise<string> {
  const more = { requestHash, approvalMs: HOUR, customer: 'cus_A', reason: 'The parcel was lost.' }
  await world.ledger.admit(draft(world.ledger.key(keyId)!, '60.00', more), refuse('approval_required'))
  return (await world.ledger.approvalFor(keyId, requestHash))!.id
}

describe('a request', () => {
  test('shows who asks for what, at what price, in whose words, and until when', async () => {
    const key = await world.key()
    const id = await asked(key.id)
    const { status, body } = await world.get(`/approvals/${id}`)
    expect(status).toBe(200)
    const call = (await world.get('/calls')).body.calls[0]
    expect(body).toEqual({
      id,
      at: '2026-11-21T12:00:00.000Z',
      state: 'open',
      key_id: key.id,
      root_id: key.id,
      call_id: call.id,
      run: 'run_1',
      vendor: 'stripe',
      operation: 'refunds.create',
      method: 'POST',
      path: '/v1/refunds',
      customer: 'cus_A',
      call_reason: 'The parcel was lost.',
      request_sha256: 'ab'.repeat(32),
      ceiling_usd: '60.00',
      expires_at: '2026-11-21T13:00:00.000Z',
      decided_at: null,
      decided_by: null,
      reason: null,
      used_by: null,
    })
    expect(call.request_sha256).toBe(body.request_sha256)
  })

  test('that nobody made is not found, whatever is asked of it', async () => {
    for (const reply of [
      await world.get('/approvals/appr_nobody'),
      await world.post('/approvals/appr_nobody/approve'),
      await world.post('/approvals/appr_nobody/deny', { reason: 'No.' }),
    ])
      expect([reply.status, reply.body.code]).toEqual([404, 'not_found'])
  })
})

describe('the list', () => {
  test('is newest first, by state and key, and paged', async () => {
    const [bot, other] = [await world.key(), await world.key({ name: 'other' })]
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.unshift(await asked(bot.id, `${i}`.repeat(64)))
    const theirs = await asked(other.id)
    await world.post(`/approvals/${ids[1]}/approve`)
    await world.post(`/approvals/${ids[2]}/deny`)
    const listed = async (query: string): Promise<string[]> =>
      (await world.get(`/approvals${query}`)).body.approvals.map(({ id }: { id: string }) => id)
    expect(await listed('')).toEqual([theirs, ...ids])
    expect(await listed(`?key=${bot.id}&state=open`)).toEqual([ids[0], ids[3], ids[4]])
    expect(await listed('?state=approved')).toEqual([ids[1]])
    expect(await listed('?state=denied')).toEqual([ids[2]])
    expect(await listed('?state=used')).toEqual([])
    const first = (await world.get('/approvals?limit=4')).body
    expect(first.next_cursor).toBe(ids[2])
    const rest = (await world.get(`/approvals?limit=4&cursor=${first.next_cursor}`)).body
    expect(rest).toMatchObject({ approvals: [{ id: ids[3] }, { id: ids[4] }], next_cursor: null })
    world.nowMs += HOUR
    expect(await listed('?state=open')).toEqual([])
    expect(await listed('?state=expired')).toEqual([theirs, ids[0], ids[1], ids[3], ids[4]])
  })

  test.each(['?state=waiting', '?limit=0', '?limit=501', '?who=me'])('%s is refused', async (query) => {
    expect((await world.get(`/approvals${query}`)).status).toBe(400)
  })
})

describe('a decision', () => {
  test('stands with who made it and why, and can be used for as long as it was open', async () => {
    const id = await asked((await world.key()).id)
    world.nowMs += HOUR / 2
    const { status, body } = await world.post(`/approvals/${id}/approve`, { reason: 'I know her.' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      state: 'approved',
      decided_at: '2026-11-21T12:30:00.000Z',
      decided_by: 'admin',
      reason: 'I know her.',
      expires_at: '2026-11-21T13:30:00.000Z',
    })
    expect((await world.get(`/approvals/${id}`)).body).toEqual(body)
    const entries = (await world.get('/audit/export')).text.trimEnd().split('\n')
    expect(entries.filter((line) => line.includes('approval.approved') && line.includes(id))).toHaveLength(1)
  })

  test.each([
    ['approve', 'deny'],
    ['deny', 'approve'],
  ])('to %s stands: again is the first reply, to %s is a conflict', async (first, other) => {
    const id = await asked((await world.key()).id)
    const { body } = await world.post(`/approvals/${id}/${first}`, { reason: 'First.' })
    world.nowMs += 1_000
    const again = await world.post(`/approvals/${id}/${first}`, { reason: 'Again.' })
    expect([again.status, again.body]).toEqual([200, body])
    const against = await world.post(`/approvals/${id}/${other}`)
    expect([against.status, against.body.code]).toEqual([409, 'conflict'])
    expect(against.body.detail).toBe(`${id} was ${body.state} at 2026-11-21T12:00:00.000Z. The first decision stands.`)
    expect((await world.get(`/approvals/${id}`)).body).toEqual(body)
  })

  test.each(['approve', 'deny'])('to %s what has expired is a conflict', async (verb) => {
    const id = await asked((await world.key()).id)
    world.nowMs += HOUR
    const reply = await world.post(`/approvals/${id}/${verb}`)
    expect([reply.status, reply.body.detail]).toEqual([
      409,
      `${id} expired at 2026-11-21T13:00:00.000Z. The agent must ask again.`,
    ])
    expect((await world.get(`/approvals/${id}`)).body.state).toBe('expired')
  })

  test('needs the admin token, and takes nothing but a reason', async () => {
    const key = await world.key()
    const id = await asked(key.id)
    for (const token of [null, 'sgadmin_wrong', key.key])
      expect((await world.post(`/approvals/${id}/approve`, {}, { token })).status).toBe(401)
    for (const body of [{ ceiling_usd: '600.00' }, { reason: '' }, { reason: 'a\nb' }, { reason: 'x'.repeat(501) }, []])
      expect((await world.post(`/approvals/${id}/approve`, body)).status).toBe(400)
    expect((await world.get(`/approvals/${id}`)).body.state).toBe('open')
  })
})
