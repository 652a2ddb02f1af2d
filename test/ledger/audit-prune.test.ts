import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { archiver } from '../../src/audit/archive.js'
import { checkTrail } from '../../src/audit/trail.js'
import { LedgerConflict, LedgerFault, type Archiver, type KeyRecord } from '../../src/contracts/ledger.js'
import { usd, ZERO } from '../../src/contracts/money.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { AuditBook } from './audit-book.js'
import { allow, budget, counted, DAY, dollars, done, draft, newKey, refuse, reply, rows } from './book.js'

const cap = budget('key:a', '1000.00')
const total = budget('key:a|total', '1000.00', { window: 'all' })
let book: AuditBook
let key: KeyRecord
let archive: Archiver
beforeEach(async () => {
  book = await AuditBook.begun()
  key = await newKey(book.ledger)
  archive = archiver(join(book.dir, 'archive'), () => book.publicKeys)
})
afterEach(() => book.close())

/** Ten calls a day for some days, each day signed at its end. */
async function days(count: number): Promise<void> {
  for (let day = 0; day < count; day++) {
    const budgets = [{ ...cap, window: `day ${book.clock.at}` }, total]
    for (let i = 0; i < 9; i++)
      await done(
        book.ledger,
        draft(key, '1.00', { budgets, object: i % 3 === 0 ? `pi_${book.clock.at}` : null }),
        reply('settled'),
      )
    await book.ledger.admit(draft(key, '9.00', { budgets }), refuse('amount_over_limit'))
    await book.ledger.checkpoint(book.signer)
    book.clock.at += DAY
  }
}

const ago = (days: number): number => book.clock.at - days * DAY

test('old history goes into an archive that verifies, and what is left still proves everything', async () => {
  await days(20)
  await book.ledger.freeze({ kind: 'run', value: 'run_9' }, null, 'ada')
  book.clock.at += 40 * DAY
  const spent = await book.ledger.spend('day', {})
  const entries = book.ledger.lastEntry()
  const pruned = await book.ledger.prune(ago(50), archive, 'ada')
  expect(pruned).toMatchObject({ calls: 100, inTheWay: [] })
  expect(pruned.archive).toBe(join(book.dir, 'archive', `audit-1-${pruned.to}.ndjson`))

  expect(await book.ledger.verify()).toEqual([])
  expect((await rows(book.ledger)).map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => 101 + i))
  expect((await counted(book.ledger, total)).spent).toBe(dollars('140.00'))
  expect(await book.ledger.spend('day', {})).toEqual(spent)
  expect((await book.ledger.entries(0, 1))[0]!.seq).toBe(pruned.to! + 1)
  expect(book.ledger.lastEntry()).toBeGreaterThan(entries)

  const trail = await checkTrail(pruned.archive!, { name: 'archive', publicKeys: book.publicKeys })
  expect(trail).toMatchObject({ faults: [], first: 1, last: pruned.to })
  const calls = readFileSync(pruned.archive!, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"call":'))
  expect(calls).toHaveLength(100)
  expect(JSON.parse(calls[0]!).call).toMatchObject({ seq: '1', path: '/v1/refunds', settled: '1000000' })
})

test('work goes on after pruning, also after a restart, and history is pruned again from where it was', async () => {
  await days(10)
  book.clock.at += 40 * DAY
  const first = await book.ledger.prune(ago(45), archive, 'ada')
  await book.reopen()
  key = book.ledger.key(key.id)!
  await days(10)
  expect(await book.ledger.verify()).toEqual([])
  book.clock.at += 40 * DAY
  const second = await book.ledger.prune(ago(45), archive, 'ada')
  expect(second.to).toBeGreaterThan(first.to!)
  expect(await book.ledger.verify()).toEqual([])
  expect((await counted(book.ledger, total)).spent).toBe(dollars('140.00'))
  const trail = await checkTrail(second.archive!, { name: 'archive', publicKeys: book.publicKeys })
  expect(trail).toMatchObject({ faults: [], first: first.to! + 1, last: second.to })
  await done(book.ledger, draft(key, '1.00', { budgets: [total], object: 'pi_new' }), reply('settled'))
  expect(await (await book.reopen()).verify()).toEqual([])
})

test.each([
  ['what a counter has spent', `update counters set spent = spent + 1000000 where window = 'all'`],
  ['a sum of a day that is gone', `update tallies set spent = spent + 1 where day = '2026-11-21'`],
  ['what a run has spent', `update runs set spent = spent + 1`],
  ['a key made before', `update keys set name = 'other'`],
  ['a policy stored before', `update policies set document = '{}'`],
  ['the public key', `update settings set value = '{}'`],
  ['which calls are gone', `update marks set seq = seq - 1 where name = 'pruned-calls'`],
  ['where history begins', `update marks set seq = seq + 1 where name = 'pruned'`],
  [
    'the checkpoint it begins from',
    `update checkpoints set head = '${'0'.repeat(64)}' where seq = (select min(seq) from checkpoints)`,
  ],
  ['the first entry left', `delete from entries where seq = (select min(seq) from entries)`],
  ['more of history', `delete from calls where seq = (select min(seq) from calls)`],
])('after pruning, verify finds when somebody changed %s', async (_what, sql) => {
  await days(8)
  book.clock.at += 40 * DAY
  expect((await book.ledger.prune(ago(44), archive, 'ada')).calls).toBe(40)
  expect((await book.changed(sql)).length).toBeGreaterThan(0)
})

test('a call that is not over keeps its history, and everything after it', async () => {
  await days(3)
  const { callId } = await book.ledger.admit(draft(key, '5.00', { budgets: [total] }), allow)
  book.ledger.mayLeave(callId)
  book.ledger.settle(callId, reply('assumed'))
  await days(3)
  book.clock.at += 60 * DAY
  const pruned = await book.ledger.prune(ago(40), archive, 'ada')
  expect(pruned).toMatchObject({ calls: 30, inTheWay: [`${callId} is assumed: its outcome is not known.`] })
  expect((await book.ledger.call(callId))!.state).toBe('assumed')
  expect(await book.ledger.prune(ago(40), archive, 'ada')).toMatchObject({ to: null, entries: 0, archive: null })
  book.ledger.settle(callId, reply('settled'))
  await book.ledger.flushed()
  // Its last entry is of today, so nothing before that is whole.
  expect((await book.ledger.prune(ago(40), archive, 'ada')).to).toBeNull()
  expect(await book.ledger.verify()).toEqual([])
})

test('what a call committed keeps its history for as long as it stands', async () => {
  const commits = { kind: 'open', perMonth: ZERO, dueAt: null, quantity: 1n } as const
  const id = await done(book.ledger, draft(key, '5.00', { commits }), reply('settled', { object: 'pi_open' }))
  await days(2)
  book.clock.at += 60 * DAY
  expect(await book.ledger.prune(ago(40), archive, 'ada')).toMatchObject({
    to: null,
    inTheWay: [`What ${id} committed (open) still stands.`],
  })
})

test('no cut tears a call apart: one that was signed between admission and outcome goes whole or stays', async () => {
  const { callId } = await book.ledger.admit(draft(key, '5.00', { budgets: [total] }), allow)
  await book.ledger.checkpoint(book.signer)
  book.clock.at += DAY
  book.ledger.mayLeave(callId)
  book.ledger.settle(callId, reply('settled'))
  await book.ledger.flushed()
  await days(1)
  book.clock.at += 60 * DAY
  expect((await book.ledger.prune(ago(61) - 1, archive, 'ada')).to).toBeNull()
  expect((await book.ledger.prune(ago(40), archive, 'ada')).calls).toBe(11)
  expect(await book.ledger.verify()).toEqual([])
})

test('the last 35 days are never pruned, nor is a book that does not verify', async () => {
  await days(2)
  await expect(book.ledger.prune(ago(34), archive, 'ada')).rejects.toThrow(LedgerConflict)
  book.clock.at += 60 * DAY
  const db = await book.copy()
  db.exec(`update counters set spent = spent + 1`)
  const file = db.name
  db.close()
  const broken = openSqlite({ file, clock: book.clock })
  await expect(broken.prune(ago(40), archive, 'ada')).rejects.toThrow(/does not verify/)
  expect(readdirSync(book.dir)).not.toContain('archive')
  await broken.close()
})

test('what stands is told again 200 rows an entry, each once, in no entry more than it takes', async () => {
  // The key and its policy, and a freeze each.
  for (let i = 0; i < 398; i++) await book.ledger.freeze({ kind: 'run', value: `run_${i}` }, null, 'ada')
  await days(1)
  book.clock.at += 60 * DAY
  expect((await book.ledger.prune(ago(40), archive, 'ada')).calls).toBe(10)
  const told = (await book.ledger.entries(0, 10_000)).filter(({ kind }) => kind === 'rows.standing')
  const names = told.map(({ detail }) => Object.keys((JSON.parse(detail) as { rows: object }).rows))
  expect(names.map(({ length }) => length)).toEqual([200, 200])
  expect(new Set(names.flat()).size).toBe(400)
  expect(await book.ledger.verify()).toEqual([])
})

test('killed after the archive was written everything is there, and pruning again makes another archive', async () => {
  await days(4)
  book.clock.at += 60 * DAY
  const killed: Archiver = async (...given) => {
    await archive(...given)
    throw new LedgerConflict('killed')
  }
  await expect(book.ledger.prune(ago(40), killed, 'ada')).rejects.toThrow('killed')
  expect(await rows(book.ledger)).toHaveLength(40)
  expect(await book.ledger.verify()).toEqual([])
  const pruned = await book.ledger.prune(ago(40), archive, 'ada')
  expect(pruned.archive).toMatch(/-2\.ndjson$/)
  expect(readdirSync(join(book.dir, 'archive'))).toHaveLength(2)
  expect(await book.ledger.verify()).toEqual([])
})

test('killed in the transaction everything is there', async () => {
  await days(4)
  book.clock.at += 60 * DAY
  const { db } = book.ledger.storage!
  db.exec(
    `create temp trigger killed before insert on entries when new.kind = 'pruned' begin select raise(abort, 'killed'); end`,
  )
  await expect(book.ledger.prune(ago(40), archive, 'ada')).rejects.toThrow(LedgerFault)
  db.exec('drop trigger killed')
  expect(await rows(book.ledger)).toHaveLength(40)
  expect(await book.ledger.verify()).toEqual([])
  expect((await book.ledger.prune(ago(40), archive, 'ada')).calls).toBe(40)
})

test('nothing is erased while history is being archived', async () => {
  await days(4)
  book.clock.at += 60 * DAY
  let refused: unknown
  const slow: Archiver = async (...given) => {
    refused = await book.ledger.erase('cus_A', 'd', 'ada').catch((fault: unknown) => fault)
    return archive(...given)
  }
  await book.ledger.prune(ago(40), slow, 'ada')
  expect(refused).toBeInstanceOf(LedgerConflict)
})

const aDay = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('call' as const),
        cents: fc.integer({ min: 1, max: 900 }),
        object: fc.constantFrom(null, 'pi_1', 'pi_2'),
        outcome: fc.constantFrom('settled' as const, 'settled' as const, 'released' as const, 'assumed' as const, null),
        totalCents: fc.option(fc.integer({ min: 0, max: 900 })),
        commits: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('deny', 'ask', 'sign', 'resolve', 'key', 'end') }) },
  ),
  { maxLength: 6 },
)

test('whatever happened and whenever it was signed, pruning leaves a sound book and every total as it was', async () => {
  let pruned = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(aDay, { minLength: 4, maxLength: 10 }),
      fc.integer({ min: 36, max: 60 }),
      async (life, before) => {
        const own = await AuditBook.begun()
        try {
          const agent = await newKey(own.ledger)
          const open: string[] = []
          for (const day of life) {
            for (const step of day) await taken(own, agent, step, open)
            await own.ledger.checkpoint(own.signer)
            own.clock.at += 5 * DAY
          }
          own.clock.at += 30 * DAY
          await own.ledger.flushed()
          expect(await own.ledger.verify()).toEqual([])
          const sums = async (): Promise<unknown> => [
            await counted(own.ledger, total),
            await own.ledger.spend('run', {}),
            await own.ledger.spend('day', {}),
          ]
          const was = await sums()
          const keep = archiver(join(own.dir, 'archive'), () => own.publicKeys)
          const { to, archive: file } = await own.ledger.prune(own.clock.at - before * DAY, keep, 'ada')
          expect(await own.ledger.verify()).toEqual([])
          expect(await sums()).toEqual(was)
          if (to === null) return
          pruned++
          expect((await checkTrail(file!, { name: 'archive', publicKeys: own.publicKeys })).faults).toEqual([])
          for (const id of open.splice(0)) own.ledger.settle(id, reply('settled'))
          await own.ledger.flushed()
          for (const step of life.flat()) await taken(own, agent, step, open)
          expect(await (await own.reopen()).verify()).toEqual([])
        } finally {
          await own.close()
        }
      },
    ),
    // Histories are drawn anew each time, and not every one has something to prune.
    { numRuns: 80 },
  )
  expect(pruned).toBeGreaterThan(10)
}, 120_000)

/** One step of a life; calls whose outcome is not known go to `open`. */
async function taken(own: AuditBook, agent: KeyRecord, step: Step, open: string[]): Promise<void> {
  const { ledger } = own
  if (step.do === 'call') {
    const commits = { kind: 'open', perMonth: ZERO, dueAt: null, quantity: 1n } as const
    const { callId } = await ledger.admit(
      draft(agent, `${(step.cents / 100).toFixed(2)}`, {
        budgets: [total],
        object: step.object,
        commits: step.commits && step.object !== null ? { ...commits, object: step.object } : null,
      }),
      allow,
    )
    ledger.mayLeave(callId)
    if (step.outcome === null) return
    const amount = step.totalCents === null ? {} : { total: usd(BigInt(step.totalCents) * 10_000n) }
    ledger.settle(callId, reply(step.outcome, step.outcome === 'settled' ? amount : {}))
    if (step.outcome === 'assumed') open.push(callId)
  } else if (step.do === 'deny') await ledger.admit(draft(agent, '9.00'), refuse('amount_over_limit'))
  else if (step.do === 'ask') await ledger.admit(draft(agent, '9.00', { approvalMs: DAY }), refuse('approval_required'))
  else if (step.do === 'sign') await ledger.checkpoint(own.signer)
  else if (step.do === 'key') await newKey(ledger)
  else if (step.do === 'resolve' && open.length > 0) ledger.settle(open.pop()!, reply('settled'))
  else if (step.do === 'end')
    await done(ledger, draft(agent, '0.00', { object: 'pi_1' }), reply('settled', { total: ZERO, ends: 'pi_1' }))
  await ledger.flushed()
}
type Step = (typeof aDay extends fc.Arbitrary<infer Day> ? Day : never) extends readonly (infer Each)[] ? Each : never
