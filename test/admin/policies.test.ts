import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { POLICY, World } from './world.js'

const YAML = `apiVersion: spendgate/v1
name: support-refunds
daily_cap_usd: "100.00"
vendors:
  stripe:
    endpoints: { allow: ["POST /v1/refunds"] }
`

describe('policies', () => {
  let world: World
  beforeEach(async () => {
    world = await World.start()
  })
  afterEach(async () => {
    world.expectNoSecrets()
    await world.close()
  })

  test('a document in JSON or YAML becomes the next version under its name', async () => {
    const first = await world.post('/policies', POLICY)
    expect(first.status).toBe(201)
    expect(first.body).toMatchObject({
      id: expect.stringMatching(/^pol_[0-9A-Za-z]{20}$/),
      name: 'support-refunds',
      version: 1,
    })
    const second = await world.post('/policies', undefined, { raw: YAML, type: 'application/yaml' })
    expect(second.body).toMatchObject({ name: 'support-refunds', version: 2 })
    const again = await world.post('/policies', undefined, { raw: YAML, type: 'application/yaml' })
    expect(again.body).toMatchObject({ id: second.body.id, version: 2 })
  })

  test('versions are found by name, by name@version and by id, newest first', async () => {
    await world.policy()
    const second = (await world.post('/policies', undefined, { raw: YAML, type: 'application/yaml' })).body
    expect((await world.get('/policies')).body.policies).toMatchObject([
      { name: 'support-refunds', version: 2, versions: 2 },
    ])
    expect((await world.get('/policies/support-refunds')).body.version).toBe(2)
    expect((await world.get('/policies/support-refunds@1')).body.document.daily_cap_usd).toBe('200.00')
    expect((await world.get(`/policies/${second.id}`)).body).toEqual(second)
    expect(
      (await world.get('/policies/support-refunds/versions')).body.versions.map((each: any) => each.version),
    ).toEqual([2, 1])
    for (const path of ['/policies/other', '/policies/support-refunds@3', '/policies/other/versions']) {
      expect((await world.get(path)).status).toBe(404)
    }
  })

  test('lists come in pages when a limit asks for it', async () => {
    for (const name of ['a', 'b', 'c']) await world.policy({ name })
    const first = (await world.get('/policies?limit=2')).body
    expect(first.policies.map((each: any) => each.name)).toEqual(['a', 'b'])
    const second = (await world.get(`/policies?limit=2&cursor=${first.next_cursor}`)).body
    expect([second.policies.map((each: any) => each.name), second.next_cursor]).toEqual([['c'], null])
    expect((await world.get('/policies?cursor=x')).body.errors[0].path).toBe('cursor')
  })

  test('a faulty document is refused with its places, and the version in force stays', async () => {
    await world.policy()
    const reply = await world.post('/policies', undefined, {
      raw: YAML.replace('daily_cap_usd', 'dailycap_usd'),
      type: 'application/yaml',
    })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid'])
    expect(reply.body.errors[0].message).toMatch(/daily_cap_usd/)
    expect(reply.body.errors[0].at).toMatch(/3:1/)
    expect((await world.post('/policies', { ...POLICY, daily_cap_usd: 1.5 })).status).toBe(400)
    expect(world.ledger.policies()).toHaveLength(1)
  })

  test('without somebody to judge requests there is no test route', async () => {
    expect(
      (
        await world.post('/policies/test', {
          policy: 'support-refunds',
          request: { vendor: 'stripe', method: 'GET', path: '/v1/charges' },
        })
      ).status,
    ).toBe(404)
  })
})
