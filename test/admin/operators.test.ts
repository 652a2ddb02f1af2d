import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Role } from '../../src/contracts/operator.js'
import { KeyDigest } from '../../src/custody/keys.js'
import { Subject } from '../../src/ledger/erasure.js'
import { Operators } from '../../src/ledger/operators.js'
import { restore } from '../../src/ledger/restore.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { Terminal } from '../cli/terminal.js'
import { Visitor } from '../dashboard/visitor.js'
import { REAL, World } from '../helpers/world.js'

let world: World
beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.close())

interface Added {
  readonly id: string
  readonly token: string
}
const added = (name: string, role: Role, more: object = {}): Promise<Added> =>
  world.must('POST', '/operators', { name, role, ...more })

async function as(token: string, method: string, path: string, body?: object): Promise<{ status: number; body: any }> {
  const reply = await request(`${world.server.adminUrl}/admin/v1${path}`, {
    method: method as 'GET',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await reply.body.text()
  return { status: reply.statusCode, body: text === '' ? null : JSON.parse(text) }
}

const entries = async (): Promise<{ kind: string; detail: string }[]> =>
  ((await world.admin('GET', '/audit/export')).text as string)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('an operator with a token', () => {
  test('is shown it once, and nothing else holds it', async () => {
    const { id, token, ...rest } = (await added('bob', 'approver')) as Added & Record<string, unknown>
    expect(token).toMatch(/^sgop_[0-9A-Za-z]{43}$/)
    expect(rest).toMatchObject({ name: 'bob', kind: 'token', role: 'approver', status: 'active', created_by: 'admin' })
    const list = await world.admin('GET', '/operators')
    expect(list.body.operators.map((each: { id: string }) => each.id)).toContain(id)
    expect(list.text).not.toContain('sgop_')
    expect(list.text).not.toContain('digest')
    expect(world.files().includes(token)).toBe(false)
    expect((await world.admin('GET', '/audit/export')).text).not.toMatch(/sgop_|bob/)
  })

  test('opens nothing on the agent port', async () => {
    const { token } = await added('lost', 'admin')
    const reply = await world.call(token, 'GET', '/stripe/v1/charges')
    expect(reply.status).toBe(401)
    expect(reply.text).not.toContain(token)
  })

  test('acts under a name of its own: in the chain by its id, to people by its name', async () => {
    const { id, token } = await added('carol', 'approver')
    expect((await as(token, 'GET', '/operators/me')).body).toEqual({
      actor: id,
      name: 'operator:carol',
      role: 'approver',
    })
    expect((await world.must('GET', '/operators/me')).name).toBe('admin')
    const key = await world.key({ approval: { above_usd: '1.00' } })
    await world.call(key.key, 'POST', '/stripe/v1/payment_intents', {
      amount: '500',
      currency: 'usd',
      confirm: 'true',
      payment_method: 'pm_card_visa',
    })
    const [asked] = (await world.must('GET', '/approvals?state=open')).approvals
    const denied = await as(token, 'POST', `/approvals/${asked.id}/deny`, { reason: 'not tonight' })
    expect(denied.body).toMatchObject({ state: 'denied', decided_by: 'operator:carol', reason: 'not tonight' })
    await as(token, 'POST', `/keys/${key.id}/revoke`, { reason: 'gone wrong' })
    const told = (await entries()).filter(({ detail }) => detail.includes(id)).map(({ kind }) => kind)
    expect(told).toEqual(['setting.changed', 'approval.denied', 'key.revoked'])
    expect(JSON.stringify(await entries())).not.toContain('carol')

    const visitor = new Visitor(world)
    await visitor.post('/dashboard/sign-in', { token, to: '/dashboard' })
    expect(await visitor.page(`/dashboard/approvals/${asked.id}`)).toContain('operator:carol')
  })

  test('what the entry of an operator says is who may what', async () => {
    const { id } = await added('dora', 'viewer')
    await world.admin('DELETE', `/operators/${id}`)
    const said = (await entries()).map(({ detail }) => JSON.parse(detail)).filter(({ operator }) => operator === id)
    expect(said).toEqual([
      {
        actor: 'admin',
        name: expect.stringMatching(/^operator\.\d+$/),
        operator: id,
        role: 'viewer',
        revoked: false,
        digest: expect.any(String),
      },
      { actor: 'admin', name: said[0].name, operator: id, role: 'viewer', revoked: true, digest: expect.any(String) },
    ])
    expect(await world.verified()).toEqual([])
  })

  test('revoked is refused at once, and so are its sessions; again changes nothing', async () => {
    const { id, token } = await added('erin', 'admin')
    const visitor = new Visitor(world)
    await visitor.post('/dashboard/sign-in', { token, to: '/dashboard' })
    expect((await visitor.get('/dashboard/approvals')).status).toBe(200)
    expect((await world.admin('DELETE', `/operators/${id}`)).status).toBe(204)
    expect((await world.admin('DELETE', `/operators/${id}`)).status).toBe(204)
    expect(await as(token, 'GET', '/keys')).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated', detail: 'This operator token has expired or was revoked.' },
    })
    expect((await visitor.get('/dashboard/approvals')).headers.location).toMatch(/^\/dashboard\/sign-in/)
    expect((await new Visitor(world).post('/dashboard/sign-in', { token })).status).toBe(401)
    expect((await world.admin('POST', `/operators/${id}/readmit`, {})).status).toBe(409)
    expect((await world.admin('DELETE', '/operators/opr_nobody')).status).toBe(404)
  })

  test('ends with its time', async () => {
    const { id, token } = await added('frank', 'viewer', { expires_in: '1h' })
    world.clock.aheadMs += 3_599_000
    expect((await as(token, 'GET', '/keys')).status).toBe(200)
    world.clock.aheadMs += 1_000
    expect((await as(token, 'GET', '/keys')).status).toBe(401)
    const all = (await world.must('GET', '/operators')).operators
    expect(all.find((each: Added) => each.id === id).status).toBe('expired')
    // Its name is free again.
    await added('frank', 'viewer')
  })

  test('has a name that no other living one has', async () => {
    const first = await added('grace', 'viewer')
    expect(await world.admin('POST', '/operators', { name: 'grace', role: 'admin' })).toMatchObject({ status: 409 })
    await world.admin('DELETE', `/operators/${first.id}`)
    await added('grace', 'viewer')
    for (const bad of [{ name: 'x', role: 'root' }, { name: 'a b', role: 'viewer' }, { name: 'x' }])
      expect((await world.admin('POST', '/operators', bad)).status).toBe(400)
  })

  test('an admin of that kind adds others in its own name, and the admin token stays', async () => {
    const { id, token } = await added('heidi', 'admin')
    const made = await as(token, 'POST', '/operators', { name: 'ivan', role: 'viewer' })
    expect(made.body).toMatchObject({ created_by: 'operator:heidi' })
    const others = (await world.must('GET', '/operators')).operators.filter((each: Added) => each.id !== id)
    for (const each of [...others, { id }])
      expect((await as(token, 'DELETE', `/operators/${each.id}`)).status).toBe(204)
    expect((await as(token, 'GET', '/keys')).status).toBe(401)
    expect((await world.admin('GET', '/keys')).status).toBe(200)
  })

  test('outlives a restart', async () => {
    const { token } = await added('judy', 'viewer')
    await world.server.stop()
    await world.serve()
    expect((await as(token, 'GET', '/operators/me')).body.name).toBe('operator:judy')
    expect(await world.verified()).toEqual([])
  })
})

describe('on the command line', () => {
  test('is added, listed and revoked, and its token makes the command another’s', async () => {
    const terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
    const made = await terminal.run('operator', 'add', 'kim', '--role', 'approver', '--expires', '30d')
    expect([made.exit, made.out]).toEqual([0, expect.stringMatching(/^sgop_[0-9A-Za-z]{43}\n$/)])
    expect(made.err).toMatch(/^opr_\w+ {2}kim, approver until .* The token is shown this once/)
    expect((await terminal.run('operator', 'add', 'kim', '--role', 'king')).exit).toBe(2)

    const kims = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: made.out.trim() })
    const refused = await kims.run('unfreeze', '--all')
    expect([refused.exit, refused.err]).toEqual([4, expect.stringContaining('This needs the role admin')])
    expect((await kims.run('operator')).out).toMatch(/opr_\w+ +kim +token +approver +active .* admin /)

    const gone = await terminal.run('operator', 'revoke', 'kim')
    expect([gone.exit, gone.out]).toEqual([0, expect.stringContaining('open nothing any more')])
    expect((await kims.run('operator', 'list')).exit).toBe(4)
    expect((await terminal.run('operator', 'revoke', 'nobody')).exit).toBe(3)
    expect((await terminal.run('operator', 'readmit', 'kim')).err).toContain('a revoked token stays so')
    expect((await terminal.run('operator', 'list', '--json')).json.operators.at(-1)).toMatchObject({
      name: 'kim',
      status: 'revoked',
    })
    terminal.close()
    kims.close()
  })
})

describe('in the ledger', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-operators-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 }
  const digest = new KeyDigest(Buffer.alloc(32, 7))
  const person = {
    issuer: 'https://id.example',
    subject: '248289761001',
    name: 'alice@example.com',
    role: 'viewer',
  } as const

  test('a person comes back as the same one, with the name and the role that the provider tells now', async () => {
    const ledger = openSqlite({ file: join(dir, 'people.db'), clock })
    const operators = new Operators(ledger, digest, clock)
    const first = (await operators.enter(person))!
    expect([first.name, first.role, first.stands()]).toEqual(['oidc:alice@example.com', 'viewer', true])
    const again = (await operators.enter({ ...person, role: 'admin', name: 'alice@married.example' }))!
    expect([again.actor, again.name, again.role]).toEqual([first.actor, 'oidc:alice@married.example', 'admin'])
    // What an earlier sign-in opened had another role.
    expect([first.stands(), again.stands()]).toEqual([false, true])
    expect((await operators.enter({ ...person, issuer: 'https://other.example' }))!.actor).not.toBe(first.actor)

    await operators.revoke(first.actor, 'admin')
    expect(await operators.enter(person)).toBeNull()
    expect(again.stands()).toBe(false)
    await operators.readmit(first.actor, 'admin')
    expect((await operators.enter(person))!.actor).toBe(first.actor)
    await ledger.close()
  })

  test('a name is erased once its owner can act no more, and nobody finds it out from what is left', async () => {
    const ledger = openSqlite({ file: join(dir, 'erased.db'), clock })
    const operators = new Operators(ledger, digest, clock)
    const { actor } = (await operators.enter(person))!
    const subject = new Subject('alice@example.com')
    expect(await operators.erase(subject, 'admin')).toEqual({
      rows: 0,
      kept: [`The operator ${actor} may still act: revoke it first.`],
    })
    await operators.revoke(actor, 'admin')
    expect(await operators.erase(subject, 'admin')).toEqual({ rows: 1, kept: [] })
    expect([operators.knownAs(actor), operators.find(actor)!.name]).toEqual([actor, null])
    const told = (await ledger.entries(0, 100)).map(({ detail }) => detail)
    expect(JSON.stringify([ledger.setting('operator.1'), told])).not.toContain('alice')
    // Who was shut out stays so.
    expect(await operators.enter(person)).toBeNull()
    expect(await ledger.verify()).toEqual([])
    await ledger.close()
  })

  test('two that are added at one moment are both there', async () => {
    const ledger = openSqlite({ file: join(dir, 'race.db'), clock })
    const operators = new Operators(ledger, digest, clock)
    const names = ['a', 'b', 'c', 'd']
    const made = await Promise.all(
      names.map((name) => operators.add({ name, role: 'viewer', expiresAt: null }, 'admin')),
    )
    expect(
      operators
        .list()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(names)
    for (const { record, token } of made) expect(operators.byToken(token.reveal())).toMatchObject({ actor: record.id })
    await ledger.close()
  })

  test('a backup does not bring back whom somebody has revoked since', async () => {
    const file = join(dir, 'restored.db')
    const backup = join(dir, 'restored-backup.db')
    const ledger = openSqlite({ file, clock })
    const operators = new Operators(ledger, digest, clock)
    const { record, token } = await operators.add({ name: 'mallory', role: 'admin', expiresAt: null }, 'admin')
    await ledger.backup(backup)
    await operators.revoke(record.id, 'admin')
    const since = await operators.add({ name: 'late', role: 'admin', expiresAt: null }, 'admin')
    await ledger.close()
    expect((await restore(file, backup, { clock })).carried).toBe(1)
    const back = openSqlite({ file, clock })
    const known = new Operators(back, digest, clock)
    expect(known.byToken(token.reveal())).toBe('ended')
    expect(known.byToken(since.token.reveal())).toBeNull()
    expect(await back.verify()).toEqual([])
    await back.close()
  })
})
