import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LedgerFault, type CallDraft, type Settlement } from '../../src/contracts/ledger.js'
import { usd, ZERO } from '../../src/contracts/money.js'
import { SETTLED, STRIPE_LIVE, World } from './world.js'

/* Commitments as the admin API lists and cancels them, at a vendor that answers as each test says. */

let world: World
let vendor: Server
let seen: { readonly line: string; readonly body: string; readonly authorization: string | undefined }[]
let status: (line: string) => number | null
/** Replies wait until so many requests are there. */
let together: number
let most: number

beforeEach(async () => {
  seen = []
  status = () => 200
  together = 1
  most = 0
  let waiting: (() => void)[] = []
  vendor = createServer((request, reply) => {
    void bodyOf(request).then((body) => {
      const line = `${request.method} ${request.url}`
      seen.push({ line, body, authorization: request.headers.authorization })
      waiting.push(() => {
        const code = status(line)
        if (code === null) request.socket.destroy()
        else reply.writeHead(code, { 'content-type': 'application/json' }).end('{}')
      })
      if (waiting.length !== together) return
      setImmediate(() => {
        most = Math.max(most, waiting.length)
        for (const answer of waiting) answer()
        waiting = []
      })
    })
  })
  await new Promise<void>((resolve) => vendor.listen(0, '127.0.0.1', resolve))
  world = await World.start({}, `http://127.0.0.1:${(vendor.address() as AddressInfo).port}`)
})
afterEach(async () => {
  world.expectNoSecrets()
  expect(await world.ledger.verify()).toEqual([])
  await world.close()
  vendor.closeAllConnections()
  await new Promise((resolve) => vendor.close(resolve))
})

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

type Kind = 'open' | 'recurring' | 'scheduled'

/** A call that left something standing; its id. */
function committed(
  keyId: string,
  operation: string,
  object: string,
  kind: Kind = 'open',
  changes: Partial<CallDraft> = {},
  settlement: Settlement = { ...SETTLED, object, total: usd(10_000_000n) },
): Promise<string> {
  const commits = {
    kind,
    perMonth: kind === 'recurring' ? usd(30_000_000n) : ZERO,
    dueAt: kind === 'scheduled' ? world.nowMs + 3_600_000 : null,
    quantity: kind === 'open' ? null : 1n,
  }
  return world.call(keyId, 10_000_000n, settlement, { operation, commits, ...changes })
}

describe('what is still to come', () => {
  test('is listed for a key and its children, page by page, and ends when it is revoked with it', async () => {
    const { id } = await world.key()
    const child = (await world.post(`/keys/${id}/runs`)).body
    const link = await committed(id, 'payment_links.create', 'plink_1')
    const sub = await committed(child.id, 'subscriptions.create', 'sub_1', 'recurring', { run: 'run_2' })
    const first = (await world.get(`/keys/${id}/pending?limit=1`)).body
    expect(first.pending).toEqual([
      {
        id: link,
        key_id: id,
        run: 'run_1',
        at: '2026-11-21T12:00:00.000Z',
        vendor: 'stripe',
        operation: 'payment_links.create',
        object: 'plink_1',
        kind: 'open',
        per_month_usd: '0.00',
        counted_usd: '10.00',
        quantity: null,
        due_at: null,
      },
    ])
    const second = (await world.get(`/keys/${id}/pending?cursor=${first.next_cursor}`)).body
    expect(second).toMatchObject({ pending: [{ id: sub, per_month_usd: '30.00', quantity: '1' }], next_cursor: null })
    expect((await world.get(`/keys/${child.id}/pending`)).body.pending).toHaveLength(1)
    expect((await world.get('/keys/key_x/pending')).status).toBe(404)
  })

  test('stands after a revoke that does not ask for more, and nothing is sent', async () => {
    const { id } = await world.key()
    await committed(id, 'payment_links.create', 'plink_1')
    const { body } = await world.post(`/keys/${id}/revoke`, { reason: 'loop' })
    expect(body.pending).toMatchObject([{ object: 'plink_1', cancelled: false }])
    expect(body.pending[0]).not.toHaveProperty('error')
    expect(seen).toEqual([])
    expect((await world.get(`/keys/${id}/pending`)).body.pending).toHaveLength(1)
  })

  test('is cancelled with the real credential, given back, and on record with who asked', async () => {
    const { id } = await world.key()
    const child = (await world.post(`/keys/${id}/runs`)).body
    const made = [
      await committed(id, 'payment_links.create', 'plink_1'),
      await committed(child.id, 'payment_intents.create', 'pi_1'),
      await committed(id, 'subscriptions.create', 'sub_1', 'recurring'),
    ]
    const { body } = await world.post(`/keys/${id}/revoke`, { cancel_pending: true })
    expect(body.pending.map((row: any) => [row.id, row.cancelled, row.error])).toEqual(
      made.map((call) => [call, true, undefined]),
    )
    expect(seen.map(({ line, body: text }) => `${line} ${text}`).sort()).toEqual([
      'DELETE /v1/subscriptions/sub_1?prorate=false ',
      'POST /v1/payment_intents/pi_1/cancel ',
      'POST /v1/payment_links/plink_1 active=false',
    ])
    expect(new Set(seen.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${STRIPE_LIVE}`]))
    for (const call of made) expect((await world.get(`/calls/${call}`)).body.settled_usd).toBe('0.00')
    const entries = (await world.ledger.entries(0, 100)).filter(({ kind }) => kind === 'commitment.taken_back')
    expect(entries.map(({ callId, detail }) => [callId, JSON.parse(detail).actor])).toEqual(
      expect.arrayContaining(made.map((call) => [call, 'admin'])),
    )
    expect((await world.get(`/keys/${id}/pending`)).body.pending).toEqual([])
    expect((await world.post(`/keys/${id}/revoke`, { cancel_pending: true })).body.pending).toEqual([])
    expect(seen).toHaveLength(3)
  })

  test('what could not be cancelled stands, says why, and is tried again the next time', async () => {
    const { id } = await world.key()
    await committed(id, 'payment_links.create', 'plink_1')
    await committed(id, 'payment_intents.create', 'pi_1')
    await committed(id, 'payment_intents.create', 'pi_2')
    await committed(id, 'payment_intents.create', 'pi_3')
    await committed(id, 'products.create', 'prod_1')
    await committed(id, 'payment_intents.create', 'pi_lost', 'open', {}, { ...SETTLED, outcome: 'assumed' })
    status = (line) => (/pi_1/.test(line) ? 400 : /pi_2/.test(line) ? 404 : /pi_3/.test(line) ? null : 503)
    const { body } = await world.post(`/keys/${id}/revoke`, { cancel_pending: true })
    expect(body.pending.map(({ object, cancelled, error }: any) => [object, cancelled, error])).toEqual([
      ['plink_1', false, 'stripe answered 503. plink_1 stays as it is; ask again.'],
      [
        'pi_1',
        false,
        'stripe answered 400: pi_1 cannot be cancelled, or it is done or cancelled already. It stays counted; look there.',
      ],
      ['pi_2', false, 'stripe answered 404: it has no pi_2, or not any more. It stays counted; look there.'],
      [
        'pi_3',
        false,
        'stripe gave no answer, so whether pi_3 was cancelled is not known. It stays counted; ask again.',
      ],
      [
        'prod_1',
        false,
        'stripe has no request that takes back what products.create made. End prod_1 at stripe by hand.',
      ],
      [null, false, expect.stringContaining('is not known. Look at stripe for what was made then')],
    ])
    status = () => 200
    const again = (await world.post(`/keys/${id}/revoke`, { cancel_pending: true })).body
    expect(again.pending.map((row: any) => row.cancelled)).toEqual([true, true, true, true, false, false])
    expect(again.revoked_at).toBe(body.revoked_at)
  })

  test('cancelled by the vendor while the ledger cannot write, it says so and stays counted', async () => {
    const { id } = await world.key()
    await committed(id, 'payment_links.create', 'plink_1')
    const { takenBack } = world.ledger
    world.ledger.takenBack = () => Promise.reject(new LedgerFault('disk full'))
    const { body } = await world.post(`/keys/${id}/revoke`, { cancel_pending: true })
    world.ledger.takenBack = takenBack
    expect(body.pending).toMatchObject([
      { cancelled: false, error: expect.stringContaining('stripe has cancelled plink_1, but the ledger') },
    ])
    expect((await world.get(`/keys/${id}/pending`)).body.pending).toHaveLength(1)
  })

  test('an id that would lead elsewhere is not sent', async () => {
    const { id } = await world.key()
    await committed(id, 'payment_intents.create', '../../v1/payouts?x')
    const { body } = await world.post(`/keys/${id}/revoke`, { cancel_pending: true })
    expect(body.pending).toMatchObject([{ cancelled: false, error: expect.stringContaining('by hand') }])
    expect(seen).toEqual([])
  })

  test('without its credential is left to the operator', async () => {
    const { id } = await world.key()
    await committed(id, 'payment_links.create', 'plink_1')
    await world.post(`/keys/${id}/revoke`)
    const [{ id: credential }] = (await world.get('/credentials')).body.credentials
    await world.ask('DELETE', `/admin/v1/credentials/${credential}`)
    const { body } = await world.post(`/keys/${id}/revoke`, { cancel_pending: true })
    expect(body.pending[0].error).toBe(`The credential ${credential} was removed. Cancel plink_1 at stripe by hand.`)
  })

  test('a crowd is cancelled eight at a time', async () => {
    const { id } = await world.key()
    for (let i = 0; i < 40; i++) await committed(id, 'payment_intents.create', `pi_${i}`)
    together = 8
    const { body } = await world.post(`/keys/${id}/revoke`, { cancel_pending: true })
    expect(body.pending.filter((row: any) => row.cancelled)).toHaveLength(40)
    expect(seen).toHaveLength(40)
    expect(most).toBe(8)
  })

  test('a server that reaches no vendor says so', async () => {
    const alone = await World.start()
    const { id } = await alone.key()
    const commits = { kind: 'open', perMonth: ZERO, dueAt: null, quantity: 1n } as const
    await alone.call(id, 1n, { ...SETTLED, object: 'pi_1' }, { operation: 'payment_intents.create', commits })
    const { body } = await alone.post(`/keys/${id}/revoke`, { cancel_pending: true })
    expect(body.pending).toMatchObject([{ cancelled: false, error: expect.stringContaining('by hand') }])
    await alone.close()
  })
})
