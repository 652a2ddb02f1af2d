import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Call, Commitment, Direction, Effect, Subjects } from '../../src/contracts/call.js'
import { ZERO } from '../../src/contracts/money.js'
import type { Usage } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'
import { amountOf, dollars, level, NOW, refund, usage } from './given.js'

/*
 * Golden tables. Above `---` stands a policy, below it one call a row: facts between bars, the verdict last. A row's
 * `cap` narrows the policy's daily cap; `spent` and `held` count on every budget. `?` is a subject that could not be
 * found out, `none` an empty list. `monthly` is what the call adds to what recurs, `for` how many it orders or sells.
 */
const folder = new URL('../../fixtures/decisions/', import.meta.url)

interface Row {
  call: Call
  over: Partial<Usage>
  spent: string
  held: string
  cap: string | null
  run: string | null
  runCap: string | null
  direction: Direction
}

const SUBJECTS = ['customers', 'recipients', 'senders', 'beneficiaries', 'accounts', 'urls', 'currencies']

function read(facts: readonly string[]): Row {
  const row: Row = {
    call: refund({ quote: { basis: 'free' } }),
    over: {},
    spent: '0.00',
    held: '0.00',
    cap: null,
    run: null,
    runCap: null,
    direction: 'out',
  }
  const set = (part: Partial<Call>): void => void (row.call = { ...row.call, ...part })
  const commit = (part: Partial<Commitment>): void =>
    set({ commits: { kind: 'recurring', perMonth: ZERO, dueAt: null, quantity: 1n, ...row.call.commits, ...part } })
  for (const fact of facts) {
    const [word, ...rest] = fact.split(' ')
    const value = rest.join(' ')
    const list = value === '?' ? null : value === 'none' ? [] : value.split(',')
    if (/^(GET|POST|PUT|PATCH|DELETE)$/.test(word!)) set({ endpoint: fact })
    else if (word === 'alias') set({ aliases: [...row.call.aliases, value] })
    else if (word === 'effects') set({ effects: value.split(',') as Effect[] })
    else if (word === 'vendor') set({ vendor: value })
    else if (word === 'reason') set({ reason: value })
    else if (SUBJECTS.includes(word!)) set({ subjects: { ...row.call.subjects, [word!]: list } as Subjects })
    else if (word === 'monthly') commit({ perMonth: dollars(value) })
    else if (word === 'for') commit({ quantity: value === 'any number' ? null : BigInt(value) })
    else if (word === 'direction') row.direction = value as Direction
    else if (word === 'spent') row.spent = value
    else if (word === 'held') row.held = value
    else if (word === 'cap') row.cap = value
    else if (word === 'run') row.run = value
    else if (word === 'run-cap') row.runCap = value
    else if (word === 'calls') row.over = { ...row.over, rate: [{ count: Number(value), oldestAt: NOW - 30_000 }] }
    else if (word === 'adds') row.over = { ...row.over, amount: dollars(value) }
    else if (word === 'reused')
      row.over = { ...row.over, earlier: { callId: 'call_1', sameRequest: value === 'same', stands: true } }
    else if (/^[a-z_]+\.[a-z_]+$/.test(word!)) {
      set({
        operation: word!,
        quote:
          value === 'free'
            ? { basis: 'free' }
            : value === 'unknown'
              ? { basis: 'unpriceable', why: 'There is no rate for isk.' }
              : { basis: 'exact', amount: dollars(value) },
      })
    } else throw new Error(`no such fact: ${fact}`)
  }
  return row
}

describe.each(readdirSync(folder).filter((file) => file.endsWith('.txt')))('%s', (file) => {
  const [head, body] = readFileSync(new URL(file, folder), 'utf8').split('\n---\n')
  const parsed = judge.parse(head!, file)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  const rows = body!
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))

  test.each(rows)('%s', (line) => {
    const facts = line.split('|').map((fact) => fact.trim())
    const expected = facts.pop()!
    const row = read(facts)
    const policy = judge.compile(parsed.document, 1, row.cap === null ? [] : [{ daily_cap_usd: row.cap }])
    const bound = level(policy, { run: row.run, runCap: row.runCap === null ? null : dollars(row.runCap) })
    const counted = judge.budgets(
      [bound],
      { vendor: row.call.vendor, credentialId: 'cred_1', direction: row.direction },
      NOW,
    )
    const { verdict, denial } = judge.decide(
      row.call,
      usage(
        { amount: amountOf(row.call), recurring: row.call.commits?.perMonth ?? ZERO, ...row.over },
        counted,
        row.spent,
        row.held,
      ),
      [policy],
    )
    expect(denial === null ? verdict : `${verdict} ${denial.code}`).toBe(expected)
  })
})
