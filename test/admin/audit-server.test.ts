import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkpointIn } from '../../src/audit/checkpoint-file.js'
import { readConfig } from '../../src/config.js'
import { signedBy } from '../../src/ledger/checkpoints.js'
import { startServer, type Running } from '../../src/main.js'

let dir: string
let server: Running
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'spendgate-server-'))))
afterEach(async () => {
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
})

const start = async (env: Readonly<Record<string, string>> = {}): Promise<Running> =>
  (server = await startServer(
    readConfig({
      SPENDGATE_PORT: '0',
      SPENDGATE_ADMIN_PORT: '0',
      SPENDGATE_DATA_DIR: dir,
      SPENDGATE_LOG_LEVEL: 'silent',
      SPENDGATE_RECONCILE_MS: '0',
      ...env,
    }),
  ))

async function get(path: string): Promise<any> {
  const token = readFileSync(join(dir, 'admin-token'), 'utf8').trim()
  const { body } = await request(`${server.adminUrl}${path}`, { headers: { authorization: `Bearer ${token}` } })
  const text = await body.text()
  return text.startsWith('{') ? JSON.parse(text) : text
}

test('a server signs what it wrote when it stops, and the next start signs with the same key', async () => {
  await start()
  const { keys } = await get('/admin/v1/audit/public-key')
  await server.stop()
  const file = join(dir, 'checkpoints.ndjson')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const checkpoint = checkpointIn(readFileSync(file, 'utf8').trimEnd())!
  expect(signedBy(keys[0].public_key, checkpoint)).toBe(true)

  await start()
  expect((await get('/admin/v1/audit/public-key')).keys).toEqual(keys)
  expect((await get('/admin/v1/audit/checkpoints')).checkpoints).toHaveLength(1)
  expect(await get('/admin/v1/audit/verify')).toEqual({ ok: true, faults: [] })
  const secrets = readFileSync(join(dir, 'spendgate.db')).includes('MC4CAQAwBQYDK2VwBCIEI')
  expect(secrets, 'the private half lies sealed').toBe(false)
})

test('checkpoints go where the operator wants them', async () => {
  const elsewhere = join(dir, 'elsewhere.ndjson')
  await start({ SPENDGATE_CHECKPOINTS: elsewhere })
  await server.stop()
  expect(checkpointIn(readFileSync(elsewhere, 'utf8').trimEnd())).not.toBeNull()
})

test('what the ledger takes of the disk is a metric', async () => {
  await start()
  expect(await get('/metrics')).toMatch(/^spendgate_ledger_bytes [1-9]\d+$/m)
})
