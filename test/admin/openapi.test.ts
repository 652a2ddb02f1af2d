import { afterEach, beforeEach, expect, test } from 'vitest'
import { World } from './world.js'

let world: World
beforeEach(async () => {
  world = await World.start({ carryOver: async () => {} })
})
afterEach(() => world.close())

test('the document names every call of the contract that is served', async () => {
  const { status, body } = await world.ask('GET', '/admin/openapi.json', undefined, { token: null })
  expect([status, body.openapi, body.info.version]).toEqual([200, '3.1.0', '0.1.0'])
  const calls = Object.entries(body.paths as Record<string, object>).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace('/admin/v1', '')}`),
  )
  expect(calls.sort()).toEqual(
    [
      'POST /credentials',
      'GET /credentials',
      'GET /credentials/{id}',
      'POST /credentials/{id}/rotate',
      'DELETE /credentials/{id}',
      'POST /policies',
      'GET /policies',
      'GET /policies/{name}',
      'GET /policies/{name}/versions',
      'POST /keys',
      'GET /keys',
      'GET /keys/{id}',
      'POST /keys/{id}/narrow',
      'POST /keys/{id}/reissue',
      'POST /keys/{id}/revoke',
      'GET /keys/{id}/pending',
      'GET /movements',
      'GET /exposure',
      'POST /keys/{id}/runs',
      'POST /keys/{id}/tokens',
      'POST /freeze',
      'POST /unfreeze',
      'GET /freezes',
      'GET /runs',
      'GET /runs/{run}',
      'GET /spend',
      'GET /calls',
      'GET /calls/stream',
      'GET /calls/{id}',
      'POST /calls/{id}/resolve',
      'GET /rates',
      'PUT /rates',
      'GET /prices/{vendor}',
      'PUT /prices/{vendor}',
      'GET /approvals',
      'GET /approvals/{id}',
      'POST /approvals/{id}/approve',
      'POST /approvals/{id}/deny',
      'GET /audit/export',
      'GET /audit/verify',
      'GET /audit/checkpoints',
      'GET /audit/public-key',
      'GET /audit/retention',
      'PUT /audit/retention',
      'POST /audit/prune',
      'POST /audit/erase',
      'POST /backup',
    ].sort(),
  )
})

test('every reference leads somewhere, operations have names of their own, path parameters are declared', async () => {
  const { body } = await world.ask('GET', '/admin/openapi.json')
  const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name]) => name!,
  )
  expect(references.length).toBeGreaterThan(10)
  expect(references.filter((name) => !(name in body.components.schemas))).toEqual([])
  const operations = Object.entries(body.paths as Record<string, Record<string, any>>).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, operation })),
  )
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
  for (const { path, operation } of operations) {
    const declared = (operation.parameters ?? [])
      .filter((each: any) => each.in === 'path')
      .map((each: any) => `{${each.name}}`)
    expect(path.match(/\{\w+\}/g) ?? []).toEqual(declared)
  }
})

test('what a request may hold is described: closed objects, and the grammar of money and durations', async () => {
  const { body } = await world.ask('GET', '/admin/openapi.json')
  const issue = body.paths['/admin/v1/keys'].post.requestBody.content['application/json'].schema
  expect(issue).toMatchObject({
    type: 'object',
    additionalProperties: false,
    required: ['name', 'policy', 'credentials'],
  })
  expect(issue.properties.expires_in.pattern).toBe('^\\d{1,9}[smhd]$')
  expect(body.paths['/admin/v1/policies'].post.requestBody.content).toHaveProperty(['application/yaml'])
  expect(body.paths['/admin/v1/calls'].get.parameters.map((each: any) => each.name).sort()).toEqual([
    'cursor',
    'key',
    'limit',
    'run',
    'state',
    'vendor',
  ])
})
