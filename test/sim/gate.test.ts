import { describe, expect, test } from 'vitest'
import { campaign, told, toldBroken } from './campaign.js'
import { play } from './schedule.js'

/** How many schedules are played; `npm run test:sim` says 10,000. */
const SCHEDULES = Number(process.env.SPENDGATE_SIM_SCHEDULES ?? 300)
/** The first seed. The gate plays the same schedules each time, a campaign others. */
const FIRST = Number(process.env.SPENDGATE_SIM_FIRST ?? 1)
/** One schedule only. */
const SEED = process.env.SPENDGATE_SIM_SEED === undefined ? null : Number(process.env.SPENDGATE_SIM_SEED)
const WITH_TRACE = process.env.SPENDGATE_SIM_TRACE === '1'

/** What a campaign must have met to be one. */
const MET = [
  'admitted',
  'settled',
  'released',
  'assumed',
  'given back',
  'replays',
  'withheld',
  'approvals used',
  'connections refused',
  'ledger unavailable',
  'crash at once',
  'crash in a commit',
  'clock: midnight',
  'clock: back',
  'clock: jump',
  'disk: begin',
  'disk: write',
  'disk: commit',
  'denied daily_cap_exceeded',
  'denied run_cap_exceeded',
  'denied budget_exceeded',
  'denied clock_suspect',
  'denied duplicate_call',
  'denied idempotency_mismatch',
  'denied approval_required',
  'denied rate_limited',
  ...['revoke', 'freeze', 'unfreeze', 'narrow', 'child', 'reissue', 'approve'].map((act) => `operator: ${act}`),
  ...[
    'answered',
    'declined',
    'late',
    'hungBefore',
    'hungAfter',
    'lostBefore',
    'lostAfter',
    'truncated',
    'conflict',
  ].map((fate) => `vendor: ${fate}`),
]

if (SEED === null) many()
else one(SEED)

function many(): void {
  describe(`${SCHEDULES} schedules from seed ${FIRST}`, () => {
    test(
      'every promise holds after every step',
      async () => {
        const report = await campaign(FIRST, SCHEDULES, null, (played) => {
          if (played % 1_000 === 0) console.log(`${played} schedules played`)
        })
        console.log(told(report, FIRST))
        expect(report.broken && toldBroken(report.broken, false)).toBeNull()
        // Schedules in which nothing happens prove nothing.
        if (SCHEDULES >= 300) expect(MET.filter((what) => !report.counts.has(what))).toEqual([])
      },
      60_000 + SCHEDULES * 500,
    )

    test('the same seed plays the same schedule', async () => {
      for (let seed = FIRST; seed < FIRST + 10; seed++) {
        const [once, again] = [await play(seed), await play(seed)]
        expect(again.trace).toEqual(once.trace)
        expect(again.hash).toBe(once.hash)
      }
      expect((await play(FIRST)).hash).not.toBe((await play(FIRST + 1)).hash)
    })
  })
}

function one(seed: number): void {
  describe(`the schedule of seed ${seed}`, () => {
    test('every promise holds after every step', async () => {
      const outcome = await play(seed)
      if (WITH_TRACE) console.log(outcome.trace.join('\n'))
      expect(outcome.violation && toldBroken(outcome, WITH_TRACE)).toBeNull()
    })
  })
}
