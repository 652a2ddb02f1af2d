import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { SystemClock } from '../src/clock.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import { packageRoot } from '../src/package-root.js'
import { median } from './compare.js'
import { residentMib, type Layout } from './machine.js'
import { multiplyKeys } from './seed.js'
import { freePort } from './targets/foreign.js'

/** From starting `spendgate serve` to the first byte of its first reply, and what it then takes. Medians. */
export interface Startup {
  readonly starts: number
  readonly keys: number
  readonly emptyMs: number
  readonly keysMs: number
  readonly emptyMib: number | null
  readonly keysMib: number | null
}

const DEADLINE_MS = 30_000
/** Between the first reply and the reading of memory: what a start leaves to be collected is not the server's. */
const REST_MS = 1_000

/** In turn: a start in an empty directory, and one on a vault of so many keys. */
export async function measureStartup(
  starts: number,
  keys: number,
  { proxy }: Layout,
  directory: string,
): Promise<Startup> {
  const own = mkdtempSync(join(directory, 'startup-'))
  const full = join(own, 'keys')
  await fill(full, keys)
  // The first start makes keys and settings; what is measured are those after it.
  await started(full, proxy)
  const seen = { empty: [] as Started[], keys: [] as Started[] }
  for (let start = 0; start < starts; start++) {
    seen.empty.push(await started(join(own, `empty-${start}`), proxy))
    seen.keys.push(await started(full, proxy))
  }
  rmSync(own, { recursive: true, force: true })
  const mib = (all: readonly Started[]): number | null =>
    all.some(({ residentMib: each }) => each === null) ? null : median(all.map((each) => each.residentMib!))
  return {
    starts,
    keys,
    emptyMs: median(seen.empty.map(({ ms }) => ms)),
    keysMs: median(seen.keys.map(({ ms }) => ms)),
    emptyMib: mib(seen.empty),
    keysMib: mib(seen.keys),
  }
}

async function fill(dataDir: string, count: number): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const file = join(dataDir, 'spendgate.db')
  const ledger = openSqlite({ file, clock: new SystemClock() })
  const { id } = await ledger.addPolicy('bench', POLICY, 'bench')
  await ledger.addKey({
    id: 'key_bench',
    publicId: '0'.repeat(32),
    digest: '0'.repeat(64),
    last4: 'abcd',
    name: 'agent 0',
    parentId: null,
    policyId: id,
    narrowings: [],
    credentialIds: ['cred_bench'],
    run: null,
    runCap: null,
    test: true,
    expiresAt: null,
    createdAt: 0,
    actor: 'bench',
  })
  await ledger.close()
  multiplyKeys(file, count)
}

const POLICY = {
  apiVersion: 'spendgate/v1',
  name: 'bench',
  daily_cap_usd: '200.00',
  vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents'] }, max_amount_usd: '50.00' } },
}

interface Started {
  readonly ms: number
  readonly residentMib: number | null
}

async function started(dataDir: string, cpus: string | null): Promise<Started> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const line = [process.execPath, join(packageRoot(), 'dist', 'src', 'cli', 'index.js'), 'serve']
  const [command, ...args] = cpus === null ? line : ['taskset', '-c', cpus, ...line]
  const from = performance.now()
  const server = spawn(command!, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SPENDGATE_DATA_DIR: dataDir,
      SPENDGATE_PORT: String(port),
      SPENDGATE_ADMIN_PORT: String(adminPort),
      SPENDGATE_LOG_LEVEL: 'error',
      SPENDGATE_DRAIN_MS: '0',
    },
  })
  let said = ''
  server.stderr.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-1_000)))
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  try {
    await answered(port, server, from, () => said)
    const ms = performance.now() - from
    await pause(REST_MS)
    return { ms, residentMib: residentMib([server.pid!])?.now ?? null }
  } finally {
    server.kill('SIGTERM')
    await gone
  }
}

/** Resolves at the first byte of a reply. Which reply it is does not matter: the port is open last of all. */
async function answered(port: number, server: ChildProcess, from: number, said: () => string): Promise<void> {
  while (server.exitCode === null && performance.now() < from + DEADLINE_MS) {
    const heard = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n'))
      socket.once('error', () => resolve(false))
      socket.once('data', () => {
        socket.destroy()
        resolve(true)
      })
    })
    if (heard) return
    await pause(1)
  }
  throw new Error(`spendgate serve did not answer: ${said().trim()}`)
}
