import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { runDemo } from '../../src/demo/index.js'
import { prove } from '../../src/demo/proof.js'
import { setStage } from '../../src/demo/stage.js'
import { play } from '../../src/demo/story.js'
import { packageRoot } from '../../src/package-root.js'

const directories = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('spendgate-demo-'))

interface StepLine {
  readonly type: 'step'
  readonly what: string
  readonly allowed: number
  readonly denied: readonly { readonly code: string; readonly message: string; readonly count: number }[]
  readonly day_usd: string
  readonly surprise: string | null
}
interface Summary {
  readonly type: 'summary'
  readonly ok: boolean
  readonly spent_usd: string
  readonly runs: readonly { readonly run: string; readonly spent_usd: string; readonly held_usd: string }[]
  readonly vendors: readonly {
    readonly vendor: string
    readonly ledger_usd: string
    readonly vendor_usd: string
    readonly admitted: number
    readonly arrived: number
  }[]
  readonly faults: readonly string[]
}
interface Started {
  readonly type: 'started'
  readonly data_dir: string
}

const linesOf = (text: string): readonly (Started | StepLine | Summary)[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Started | StepLine | Summary)

describe('the demo in this process', () => {
  let exit: number
  let steps: readonly StepLine[]
  let summary: Summary
  let started: Started

  beforeAll(async () => {
    let out = ''
    exit = await runDemo({ stay: false, json: true, out: (text) => (out += text), err: () => {} })
    const lines = linesOf(out)
    started = lines[0] as Started
    steps = lines.filter((line) => line.type === 'step')
    summary = lines.at(-1) as Summary
  }, 60_000)

  test('it ends well, and every step ended as its author meant it', () => {
    expect(steps.map((step) => step.surprise).filter((surprise) => surprise !== null)).toEqual([])
    expect(summary.faults).toEqual([])
    expect(exit).toBe(0)
  })

  test('the SDKs raised each refusal under its code, with a sentence', () => {
    const refusals = steps.flatMap((step) => step.denied)
    expect(refusals.map(({ code }) => code)).toEqual([
      'amount_over_limit',
      'customer_not_allowed',
      'operation_not_allowed',
      'amount_unknown',
      'operation_unknown',
      'recipient_not_allowed',
      'recipient_not_allowed',
      'daily_cap_exceeded',
      'key_revoked',
    ])
    for (const { message } of refusals) expect(message).toMatch(/^\S.+\.$/)
  })

  test('of twenty refunds at once exactly those fit that the day has room for', () => {
    const rush = steps.find((step) => step.allowed + (step.denied[0]?.count ?? 0) === 20)
    expect(rush).toMatchObject({
      allowed: 5,
      denied: [{ code: 'daily_cap_exceeded', count: 15 }],
      day_usd: '46.017575',
    })
  })

  test('what the vendors saw is what the ledger says', () => {
    expect(summary.vendors.map(({ vendor, admitted }) => [vendor, admitted])).toEqual([
      ['stripe', 7],
      ['twilio', 1],
      ['resend', 1],
    ])
    for (const vendor of summary.vendors) {
      expect(vendor.vendor_usd).toBe(vendor.ledger_usd)
      expect(vendor.arrived).toBe(vendor.admitted)
    }
    expect(summary.spent_usd).toBe('46.017575')
    expect(summary.runs).toContainEqual(
      expect.objectContaining({ run: 'run_refunds', spent_usd: '46.00', held_usd: '0.00' }),
    )
    expect(summary.runs).toContainEqual(expect.objectContaining({ run: 'run_notices', spent_usd: '0.017575' }))
  })

  test('its directory is gone', () => {
    expect(started.data_dir).toContain('spendgate-demo-')
    expect(existsSync(started.data_dir)).toBe(false)
  })
})

test('for people it tells the story in lines and ends with both sides of the book', async () => {
  let out = ''
  expect(await runDemo({ stay: false, json: false, out: (text) => (out += text), err: () => {} })).toBe(0)
  expect(out).toMatch(/^\d\d:\d\d:\d\d  stripe  refund +\$12\.00  allow +day 12\.00\/50\.00$/m)
  expect(out).toMatch(
    /^\d\d:\d\d:\d\d  stripe  refund, too large +\$40\.00  DENY amount_over_limit +day 21\.00\/50\.00$/m,
  )
  expect(out).toMatch(
    /20 refunds of \$5\.00 at once +\$100\.00  5 allow, 15 DENY daily_cap_exceeded +day 46\.017575\/50\.00/,
  )
  expect(out).toMatch(/^run_refunds +stripe +\$46\.00/m)
  expect(out).toMatch(/^stripe +\$46\.00 +\$46\.00 +7 +7 +equal$/m)
  expect(out).not.toMatch(/UNEXPECTED|FAULT|DIFFERENT|vault_live_|sk_live_/)
}, 60_000)

test('--stay serves until it is interrupted, and then cleans up; a port in use is no obstacle', async () => {
  const neighbour = createServer()
  // Somebody else may have the port already; that is the same to us.
  await new Promise<void>((resolve) => neighbour.once('error', () => resolve()).listen(4242, '127.0.0.1', resolve))
  let out = ''
  let staying: () => void
  const stays = new Promise<void>((resolve) => {
    staying = resolve
  })
  const ended = runDemo({
    stay: true,
    json: true,
    out: (text) => {
      out += text
      if (text.includes('"type":"staying"')) staying()
    },
    err: () => {},
  })
  await Promise.race([stays, ended])
  const [{ data_dir: directory, agent_url: url }, { presentations, dashboard_url: link }] = [
    out.split('\n')[0]!,
    out.trimEnd().split('\n').at(-1)!,
  ].map((line) => JSON.parse(line))
  const { stripeClient } = await import('../../fixtures/simulators/clients.js')
  const refund = await (
    await stripeClient(url, presentations.stripe[0])
  ).refunds.create({ charge: 'ch_A', amount: 700 })
  expect(refund.amount).toBe(700)
  expect(new URL(url).port).not.toBe('4242')
  expect((await fetch(link, { redirect: 'manual' })).headers.get('set-cookie')).toMatch(/HttpOnly/)
  process.emit('SIGTERM')
  expect(await ended).toBe(0)
  neighbour.close()
  expect(existsSync(directory)).toBe(false)
}, 60_000)

test('interrupted in the middle it stops, cleans up and says so', async () => {
  let out = ''
  const exit = await runDemo({
    stay: false,
    json: true,
    out: (text) => {
      out += text
      if (text.includes('"type":"step"')) process.emit('SIGINT')
    },
    err: () => {},
  })
  expect(exit).toBe(130)
  const lines = linesOf(out)
  expect(lines.map(({ type }) => type)).toEqual(['started', 'step'])
  expect(existsSync((lines[0] as Started).data_dir)).toBe(false)
}, 60_000)

test('a vendor that moved other money than it said fails the proof', async () => {
  const clock = new SystemClock()
  const stage = await setStage(clock, false)
  try {
    stage.vendors.stripe.fault('POST /v1/refunds', { do: 'lie', factor: 2 })
    const steps = await play(stage, clock, { came: () => false }, () => {})
    const proof = await prove(stage, steps)
    expect(proof.ok).toBe(false)
    expect(proof.faults).toContainEqual(expect.stringMatching(/^The ledger has \$\S+ for stripe, which saw \$\S+\.$/))
  } finally {
    await stage.close()
  }
}, 60_000)

const built = join(packageRoot(), 'dist/src/cli/index.js')

test.runIf(existsSync(built))(
  'the built command tells it too, and its last line is the summary',
  async () => {
    const before = directories()
    const { stdout } = await promisify(execFile)(process.execPath, [built, 'demo', '--json'], { timeout: 60_000 })
    expect(linesOf(stdout).at(-1)).toMatchObject({ type: 'summary', ok: true, spent_usd: '46.017575' })
    expect(directories().filter((name) => !before.includes(name))).toEqual([])
  },
  60_000,
)
