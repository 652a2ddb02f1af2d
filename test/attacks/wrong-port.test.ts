import { describe, expect, test } from 'vitest'
import { issueKey } from '../../src/custody/keys.js'
import { REAL } from '../helpers/world.js'
import { basic, onStage, presented } from './stage.js'

const stage = onStage()
const refund = { line: 'POST /stripe/v1/refunds', body: 'charge=ch_A&amount=100' } as const

describe('the admin token is nothing on the agent port', () => {
  test.each([
    ['as a bearer', `Bearer ${REAL.admin}`],
    ['in a skin of Stripe', `Bearer rk_${REAL.admin}`],
    ['as a user', basic(REAL.admin, '')],
    ['as a password', basic('admin', REAL.admin)],
  ])('%s', async (_, authorization) => {
    const reply = await stage.ignores(refund, 401, authorization)
    expect(reply.headers['x-spendgate-code']).toBe('key_unknown')
    expect(reply.body).not.toContain(REAL.admin)
  })

  test('and its routes are not there', async () => {
    await stage.ignores({ line: 'GET /admin/v1/keys' }, 404, `Bearer ${REAL.admin}`)
    await stage.ignores({ line: 'GET /metrics' }, 404, `Bearer ${REAL.admin}`)
    await stage.ignores({ line: 'GET /healthz' }, 404, `Bearer ${REAL.admin}`)
  })
})

describe('a vault key is nothing on the admin port', () => {
  test.each([
    '/admin/v1/keys',
    '/admin/v1/credentials',
    '/admin/v1/calls',
    '/admin/v1/spend?by=key',
    '/admin/v1/audit/export',
    '/metrics',
  ])('%s', async (path) => {
    const { key, presentations } = await stage.key()
    for (const authorization of [
      `Bearer ${key}`,
      ...presentations.stripe!.map((each) => `Bearer ${each}`),
      basic(key, ''),
      basic('admin', key),
    ]) {
      const reply = await fetch(`${stage.world.server.adminUrl}${path}`, { headers: { authorization } })
      expect(reply.status).toBe(401)
      expect(await reply.text()).not.toContain(key)
    }
  })

  test('nor may it change anything', async () => {
    const { id, key } = await stage.key()
    for (const path of [`/keys/${id}/runs`, `/keys/${id}/revoke`, '/unfreeze', '/policies', '/rates']) {
      const reply = await fetch(`${stage.world.server.adminUrl}/admin/v1${path}`, {
        method: path === '/rates' ? 'PUT' : 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: '{"scope":"all"}',
      })
      expect(reply.status).toBe(401)
    }
    expect((await stage.world.must('GET', `/keys/${id}`)).status).toBe('active')
  })
})

describe('guessing a key', () => {
  test('well-formed keys of nobody are unknown and leave no rows', async () => {
    for (let i = 0; i < 40; i++) {
      const { key } = issueKey(i % 2 === 0)
      const reply = await stage.ignores(refund, 401, `Bearer rk_${key}`)
      expect(reply.headers['x-spendgate-code']).toBe('key_unknown')
    }
  })

  test('a known key with one character changed is unknown, wherever it is changed', async () => {
    const { key } = await stage.key()
    for (let at = 0; at < key.length; at += 3) {
      const changed = key.slice(0, at) + (key[at] === 'a' ? 'b' : 'a') + key.slice(at + 1)
      expect((await stage.ignores(refund, 401, `Bearer rk_${changed}`)).headers['x-spendgate-code']).toBe('key_unknown')
    }
  })

  test('a known key cut short or made longer is unknown', async () => {
    const { key } = await stage.key()
    for (const changed of [
      key.slice(0, -1),
      `${key}a`,
      `${key}.`,
      `${key}.a b`,
      `${key}.${'r'.repeat(65)}`,
      key.toUpperCase(),
      key.replace('live', 'test'),
    ]) {
      expect((await stage.ignores(refund, 401, `Bearer rk_${changed}`)).headers['x-spendgate-code']).toBe('key_unknown')
    }
  })

  test('an id of a key, its public id and its last four characters open nothing', async () => {
    const issued = await stage.key('twilio')
    const { api_key_sid, account_sid } = issued.presentations.twilio!
    for (const authorization of [
      `Bearer ${issued.id}`,
      basic(api_key_sid, `vault_live_${issued.key.slice(-4)}`),
      basic(account_sid, `vault_live_${'0'.repeat(49)}`),
    ]) {
      await stage.ignores({ vendor: 'twilio', line: 'GET /twilio/2010-04-01/Accounts.json' }, 401, authorization)
    }
  })
})

test('a revoked and a frozen key are refused with a row each and nothing sent', async () => {
  const revoked = await stage.key()
  await stage.world.must('POST', `/keys/${revoked.id}/revoke`, {})
  const frozen = await stage.key()
  await stage.world.must('POST', '/freeze', { key: frozen.id })
  stage.forget()
  for (const [key, status, code] of [
    [revoked, 401, 'key_revoked'],
    [frozen, 403, 'key_frozen'],
  ] as const) {
    const reply = await stage.send(refund, presented('stripe', key))
    expect(reply).toMatchObject({ status, headers: { 'x-spendgate-code': code } })
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code } }])
  }
  expect(stage.seen()).toEqual([])
})
