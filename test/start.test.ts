import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { packageRoot } from '../src/package-root.js'

test('npm start serves, and a signal to npm stops the server too', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-start-'))
  const npm = spawn('npm', ['start', '--', '--port', '0', '--admin-port', '0'], {
    cwd: packageRoot(),
    env: { ...process.env, SPENDGATE_DATA_DIR: join(dir, 'data'), SPENDGATE_LOG_LEVEL: 'silent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // The server has it as well: it closes when both are gone.
  const ended = new Promise<void>((resolve) => npm.stdout.once('close', () => resolve()))
  try {
    let said = ''
    const admin = await new Promise<string>((resolve, reject) => {
      npm.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        const found = /admin port\s+(\S+)/.exec(said)
        if (found) resolve(found[1]!)
      })
      npm.once('exit', () => reject(new Error(`npm start ended: ${said}`)))
    })
    const health = await request(`${admin}/healthz`)
    await health.body.dump()
    expect(health.statusCode).toBe(200)
    npm.kill('SIGTERM')
    const gone = (): Promise<string> =>
      request(`${admin}/healthz`).then(
        async ({ body }) => (await body.dump(), 'serving'),
        () => 'gone',
      )
    await expect.poll(gone, { timeout: 10_000 }).toBe('gone')
    // The port closes first, and the ledger after it.
    await ended
  } finally {
    npm.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
})
