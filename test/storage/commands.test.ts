import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Terminal, type Heard } from '../cli/terminal.js'
import { REAL, World } from '../helpers/world.js'
import { codeOf, DAY, pay } from '../pipeline/given.js'

let world: World
let terminal: Terminal
let key: string
beforeEach(async () => {
  world = await World.start()
  world.stripe.seed()
  key = (await world.key()).key
  expect((await pay(world, key, 100)).status).toBe(200)
  terminal = new Terminal({ SPENDGATE_DATA_DIR: join(world.dir, 'data'), SPENDGATE_ADMIN_TOKEN: REAL.admin })
})
afterEach(async () => {
  terminal.close()
  await world.close()
})
const run = (...argv: string[]): Promise<Heard> => terminal.run('--url', world.server.adminUrl, ...argv)
const checks = ({ json }: Heard): Record<string, string> =>
  Object.fromEntries(json.findings.map((each: { check: string; status: string }) => [each.check, each.status]))
const message = ({ json }: Heard, check: string): string =>
  json.findings.find((each: { check: string }) => each.check === check).message

test('db check asks the server that has the file', async () => {
  const heard = await run('db', 'check', '--json')
  expect(heard.exit).toBe(0)
  expect(checks(heard)).toMatchObject({ writing: 'ok', place: 'ok', permissions: 'ok', schema: 'ok', file: 'ok' })
  expect((await run('db', 'check')).out).toMatch(/✔ +writing +the last write succeeded/)
})

test('db check reads and proves a file that no server has', async () => {
  await world.server.stop()
  const before = readFileSync(join(world.dir, 'data', 'spendgate.db'))
  const heard = await run('db', 'check', '--json')
  expect(heard.exit).toBe(0)
  expect(checks(heard)).toMatchObject({ place: 'ok', file: 'ok', schema: 'ok', fence: 'ok', proof: 'ok' })
  expect(readFileSync(join(world.dir, 'data', 'spendgate.db')).equals(before), 'and changes nothing').toBe(true)
  await world.serve()
})

test('db check says how a damaged file is repaired, and restore repairs it', async () => {
  const backup = join(world.dir, 'backup.db')
  expect((await run('backup', backup)).exit).toBe(0)
  await world.server.stop()
  const file = join(world.dir, 'data', 'spendgate.db')
  writeFileSync(file, readFileSync(file).fill(0xa5, 4096 * 8))
  const heard = await run('db', 'check', '--json')
  expect(heard.exit).toBe(1)
  expect(checks(heard).file).toBe('fail')
  expect(message(heard, 'file')).toContain('spendgate restore FILE')

  const { exit, out, err } = await run('restore', backup)
  expect(exit).toBe(0)
  expect(out).toMatch(/^Restored .+, which knows everything up to 2026-11-24T12:.+\nWhat was there is now .+replaced-/)
  expect(err).toContain('everything is frozen')
  expect(err).toContain('spendgate db confirm-restore')
  const after = await run('db', 'check', '--json')
  expect([after.exit, checks(after).file, checks(after).recovery]).toEqual([1, 'ok', 'fail'])
  expect(message(after, 'recovery')).toContain('was put back from a backup')
  await world.serve()
  expect((await run('unfreeze', '--all')).exit).toBe(0)
  expect(codeOf(await pay(world, key, 100))).toBe('ledger_unavailable')
  const confirmed = await run('db', 'confirm-restore')
  expect([confirmed.exit, confirmed.out]).toEqual([0, expect.stringContaining('Confirmed. Calls may cost money again')])
  expect((await pay(world, key, 100)).status).toBe(200)
  expect((await run('db', 'confirm-restore')).out).toContain('There is nothing to confirm')
})

test('restore is not done while a server has the ledger, nor of a file that is not there', async () => {
  const backup = join(world.dir, 'backup.db')
  await run('backup', backup)
  const held = await run('restore', backup)
  expect([held.exit, held.err]).toEqual([1, expect.stringContaining('Another spendgate (pid')])
  expect((await run('restore', join(world.dir, 'nothing.db'))).exit).toBe(3)
  expect(readdirSync(join(world.dir, 'data')).filter((name) => name.includes('replaced'))).toEqual([])
})

test('db confirm-clock says which time is believed', async () => {
  const { exit, out } = await run('db', 'confirm-clock')
  expect([exit, out]).toEqual([0, expect.stringMatching(/^Confirmed: it is 2026-11-24T12:\d\d:/)])
  world.clock.aheadMs += DAY
  expect((await pay(world, key, 100)).status).toBe(200)
})
