import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TOKEN, World } from '../admin/world.js'
import { Terminal } from './terminal.js'

let world: World
let terminal: Terminal
let parent: string
beforeEach(async () => {
  world = await World.start()
  terminal = new Terminal({ SPENDGATE_URL: `http://127.0.0.1:${world.port}`, SPENDGATE_ADMIN_TOKEN: TOKEN })
  parent = (await world.key()).id
})
afterEach(async () => {
  terminal.close()
  await world.close()
})

test('key token makes a token of flags and shows it once', async () => {
  const { exit, out } = await terminal.run(
    ...['key', 'token', parent, '--vendor', 'stripe', '--method', 'GET', 'POST', '--domain', 'api.stripe.test'],
    ...['--endpoint', 'GET /v1/charges*', '--credential', 'main', '--rate', '30', '--expires', '2h'],
    ...['--daily-cap', '5.00', '--max-amount', '1.00', '--name', 'reader'],
  )
  expect(exit).toBe(0)
  expect(out).toContain(`token of ${parent}`)
  const made = (await world.get('/keys')).body.keys.find((key: { name: string }) => key.name === 'reader')
  expect(made).toMatchObject({ parent_id: parent, expires_at: '2026-11-21T14:00:00.000Z' })
  expect(world.ledger.key(made.id)!.narrowings).toHaveLength(2)
})

test('key token takes the scope from a file, as it stands', async () => {
  writeFileSync(
    join(terminal.dir, 'scope.json'),
    '{"allowedProviders":["stripe"],"allowedMethods":["GET"],"rateLimitPerMinute":30,"expiresIn":14400}',
  )
  const { exit, json } = await terminal.run('key', 'token', parent, 'scope.json', '--json')
  expect(exit).toBe(0)
  expect(json).toMatchObject({ parent_id: parent, scope: { allowedMethods: ['GET'], rateLimitPerMinute: 30 } })
  const both = await terminal.run('key', 'token', parent, 'scope.json', '--rate', '5')
  expect([both.exit, both.err]).toEqual([2, expect.stringContaining('from the file or from flags')])
})

test('key token tells which field asks for too much', async () => {
  const { exit, err } = await terminal.run('key', 'token', parent, '--vendor', 'twilio')
  expect(exit).toBe(1)
  expect(err).toContain('allowedProviders.0')
})
