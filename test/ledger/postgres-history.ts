import fc from 'fast-check'
import { copyFileSync, existsSync } from 'node:fs'
import type { Commitment } from '../../src/contracts/call.js'
import type { KeyRecord, Settlement } from '../../src/contracts/ledger.js'
import { usd } from '../../src/contracts/money.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { allow, budget, credential, DAY, draft, HOUR, newKey, refuse, reply, StandingClock, unique } from './book.js'

const OBJECTS = [null, 'sub_1', 'in_2'] as const
const VENDORS = ['stripe', 'twilio', 'resend'] as const
/** Names whose order differs between bytes and a dictionary, and one that every language writes its own way. */
const RUNS = ['run_a', 'run_B', 'RUN_a', 'run-a', 'run_Ä'] as const
const OPERATIONS = [null, 'refunds.create', 'messages.create', 'Émails.send'] as const

const aCall = fc.record({
  do: fc.constant('call' as const),
  key: fc.nat(2),
  run: fc.constantFrom(...RUNS),
  implicit: fc.boolean(),
  vendor: fc.constantFrom(...VENDORS),
  operation: fc.constantFrom(...OPERATIONS),
  direction: fc.constantFrom('in' as const, 'out' as const, 'none' as const),
  micros: fc.bigInt({ min: 0n, max: 2n ** 53n + 1n }),
  object: fc.constantFrom(...OBJECTS),
  commits: fc.constantFrom(null, null, 'recurring' as const, 'scheduled' as const, 'open' as const),
  dueInMs: fc.constantFrom(null, HOUR, 3 * DAY),
  idempotency: fc.constantFrom(null, null, 'idem_1'),
  outcome: fc.constantFrom('settled', 'settled', 'released', 'assumed', 'open', 'denied', 'burst', 'ask'),
  status: fc.constantFrom(200, null),
})
export const aHistory = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: aCall },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: DAY }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('decide' as const), which: fc.nat(), yes: fc.boolean() }) },
  ),
  { minLength: 5, maxLength: 60 },
)
export type History = typeof aHistory extends fc.Arbitrary<infer T> ? T : never

export interface Written {
  readonly keys: readonly KeyRecord[]
  /** Its last instant. */
  readonly at: number
}

/** Writes a history into a new SQLite file, through the ledger, and leaves it as a kill does, with some calls under way. */
export async function write(file: string, history: History): Promise<Written> {
  const clock = new StandingClock()
  const ledger = openSqlite({ file: `${file}.killed`, clock })
  await ledger.putCredential(credential({ id: 'cred_1' }), 'credential.added', 'test')
  await ledger.putSetting('note', { text: 'Zürich, \u{1f4b8} and "quotes"\n' }, 'test')
  const root = await newKey(ledger)
  const child = await newKey(ledger, { parentId: root.id, policyId: root.policyId, run: 'run_a' })
  const keys = [root, child, await newKey(ledger)]
  const budgets = keys.map((key) => budget(`key:${key.id}`, '90000000000.00'))
  for (const step of history) {
    if (step.do === 'wait') clock.at += step.ms
    else if (step.do === 'decide') {
      const { rows } = await ledger.approvals({ state: 'open' }, { limit: 50 })
      if (rows.length > 0)
        await ledger.decideApproval(rows[step.which % rows.length]!.id, step.yes ? 'approved' : 'denied', null, 'ada')
    } else {
      const { key, object, idempotency, outcome, micros, commits: kind } = step
      const commits: Commitment | null =
        kind === null
          ? null
          : {
              kind,
              perMonth: usd(kind === 'recurring' ? micros : 0n),
              dueAt: step.dueInMs === null ? null : clock.at + step.dueInMs,
              quantity: micros % 7n,
              ...(object === null ? {} : { object }),
            }
      const call = draft(keys[key]!, '0.00', {
        quoted: usd(micros),
        run: step.run,
        runSource: step.implicit ? 'implicit' : 'header',
        vendor: step.vendor,
        operation: step.operation,
        direction: step.direction,
        object,
        commits,
        idempotencyHash: idempotency,
        requestHash: idempotency === null ? unique('request') : 'request_1',
        budgets: [budgets[key]!],
        reason: micros % 2n === 0n ? 'because "of" it' : null,
        ...(outcome === 'ask' ? { approvalMs: HOUR } : {}),
      })
      if (outcome === 'burst')
        await Promise.all(Array.from({ length: 24 }, () => ledger.admit(call, refuse('operation_not_allowed'))))
      else if (outcome === 'denied') await ledger.admit(call, refuse('daily_cap_exceeded', 'Über dem Limit.'))
      else if (outcome === 'ask')
        await ledger.admit(call, ({ approval }) =>
          approval?.state === 'approved' ? allow() : refuse('approval_required')(),
        )
      else {
        const { callId } = await ledger.admit(call, allow)
        ledger.mayLeave(callId)
        if (outcome !== 'open')
          ledger.settle(callId, reply(outcome as Settlement['outcome'], { status: step.status, requestId: 'req_1' }))
      }
    }
    clock.at += 1_000
  }
  await ledger.flushed()
  for (const tail of ['', '-wal'])
    if (existsSync(`${file}.killed${tail}`)) copyFileSync(`${file}.killed${tail}`, file + tail)
  await ledger.close()
  return { keys, at: clock.at }
}
