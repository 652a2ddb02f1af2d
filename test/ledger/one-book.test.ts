import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Admission, CallDraft, KeyRecord } from '../../src/contracts/ledger.js'
import type { Usage } from '../../src/contracts/policy.js'
import { Book, counterBefore, type Traces } from '../../src/ledger/book.js'
import { callId } from '../../src/ledger/ids.js'
import { migrations } from '../../src/ledger/open.js'
import { verify } from '../../src/ledger/verify.js'
import { allow, budget, dollars, draft, refuse, reply, StandingClock, unique } from './book.js'

// The book without a store around it: what stores of several nodes ask of it, and what it does where the traces that a
// store keeps beside the rows lead astray.

/** Traces that point where a test says, and keep what they are told. */
class Told implements Traces {
  found: number | null = null
  readonly put: [what: string, seq: number | string][] = []
  key = (): number | null => this.found
  write = (): number | null => this.found
  rate = (): number[] => []
  putKey = (_hash: string, seq: number): void => void this.put.push(['key', seq])
  putWrite = (_name: unknown, seq: number): void => void this.put.push(['write', seq])
  putRate = (key: string): void => void this.put.push(['rate', key])
}

const clock = new StandingClock()
let db: Database.Database
let traces: Told
let book: Book
let key: KeyRecord
beforeEach(() => {
  db = new Database(':memory:')
  for (const { sql } of migrations()) db.exec(sql)
  traces = new Told()
  book = new Book(db, clock, traces)
  key = within(() => added(book))
})
afterEach(() => {
  expect(verify(db)).toEqual([])
  db.close()
})

function within<T>(work: () => T, on = book): T {
  on.begin()
  const result = work()
  on.finish()
  on.commit()
  return result
}

function added(on: Book, parentId: string | null = null): KeyRecord {
  const name = unique('agent')
  return on.addKey({
    id: unique('key'),
    publicId: name.padEnd(32, '0'),
    digest: name.padEnd(64, '0'),
    last4: 'abcd',
    name,
    parentId,
    policyId: on.addPolicy(name, { name }, 'test').id,
    narrowings: [],
    credentialIds: [],
    run: null,
    runCap: null,
    test: false,
    expiresAt: null,
    createdAt: 0,
    actor: 'test',
  })
}

function admit(call: CallDraft, decide: (usage: Usage) => ReturnType<typeof allow> = allow, on = book): Admission {
  const admission = within(() => on.admit({ draft: call, decide }), on)
  if (admission instanceof Error) throw admission
  return admission
}
function seen(call: CallDraft): Usage {
  return book.seen({ ...call, key: book.registry.key(call.key.id)! })
}

describe('calls that another node has under way', () => {
  test('are known by the row, the objects they act on and whether they overlap', () => {
    const other = new Book(db, clock, new Told())
    const cap = budget('key:a', '10.00')
    const { callId: id } = admit(draft(key, '5.00', { object: 'pi_1', budgets: [cap] }), allow, other)
    book.reread()
    book.meet(1, ['pi_1'], false)
    expect(book.open.get(1)).toMatchObject({
      seq: 1,
      keyId: key.id,
      reserved: dollars('5.00'),
      object: 'pi_1',
      actsOn: ['pi_1'],
      state: 'reserved',
      dispatched: true,
      overlapped: false,
      elsewhere: true,
    })
    expect(book.inFlight(new Set([key.id]))).toEqual([id])
    const own = admit(draft(key, '1.00', { object: 'pi_1' }))
    expect([book.open.get(1)!.overlapped, book.open.get(2)!.overlapped]).toEqual([true, true])
    expect(own.callId).toBe(callId(2))
  })

  test('are found to overlap once and for all, and stay what they are otherwise', () => {
    admit(draft(key, '5.00', { object: 'pi_1' }))
    book.meet(1, ['pi_9'], false)
    expect(book.open.get(1)).toMatchObject({ actsOn: ['pi_1'], dispatched: false, overlapped: false })
    expect(book.open.get(1)!.elsewhere).toBe(false)
    book.meet(1, [], true)
    expect(book.open.get(1)!.overlapped).toBe(true)
    book.meet(1, [], false)
    expect(book.open.get(1)!.overlapped).toBe(true)
  })

  test('are named by the key that was revoked when they had left', () => {
    within(() => book.revoke(key.id, 'over', 'ada', clock.at, []))
    within(() => book.nameInFlight(key.id, ['call_0000000001'], 'ada'))
    expect(book.registry.inFlightAtRevoke(key.id)).toEqual(['call_0000000001'])
    const entry = db.prepare('select kind, detail from entries order by seq desc limit 1').get() as {
      kind: string
      detail: string
    }
    expect(entry.kind).toBe('key.in_flight')
    expect(JSON.parse(entry.detail)).toEqual({
      actor: 'ada',
      key: key.id,
      in_flight: ['call_0000000001'],
      rows: { [`keys ${key.id}`]: expect.any(String) },
    })
  })
})

describe('what another hand has written', () => {
  test('is gone on from once it was read again: calls, entries and totals', () => {
    const other = new Book(db, clock, new Told())
    const cap = budget('key:a', '10.00')
    admit(draft(key, '1.00', { budgets: [cap] }))
    other.reread()
    admit(draft(key, '2.00', { budgets: [cap] }), allow, other)
    expect([book.nextCall, book.counters.peek(cap)!.held]).toEqual([2, dollars('1.00')])
    book.reread()
    expect([book.nextCall, book.counters.peek(cap)!.held]).toEqual([3, dollars('3.00')])
    expect(book.end).toEqual(other.end)
    expect(book.endInFile()).toBe(book.end.seq)
    expect(admit(draft(key, '3.00', { budgets: [cap] })).callId).toBe(callId(3))
  })

  test('counts for the rate of a key, once it was read again', () => {
    const call = draft(key, '1.00', { perMinute: [10] })
    expect(seen(call).rate).toEqual([{ count: 0, oldestAt: clock.at }])
    traces.rate = () => [clock.at - 5]
    expect(seen(call).rate).toEqual([{ count: 0, oldestAt: clock.at }])
    book.reread()
    expect(seen(call).rate).toEqual([{ count: 1, oldestAt: clock.at - 5 }])
  })

  test('may be the very policy that is to be added', () => {
    const first = within(() => book.addPolicy('refunds', { cap: '1.00' }, 'ada'))
    const end = book.end
    expect(within(() => book.addPolicy('refunds', { cap: '1.00' }, 'bob'))).toEqual(first)
    expect(book.end).toEqual(end)
  })

  test('may tell in which run a key was last', () => {
    book.rememberImplicit(key.id, 'run_of_another', clock.at - 5)
    expect(book.implicitRun(key.id, 6, () => null)).toBe('run_of_another')
    expect(book.implicitRun(key.id, 5, () => null)).not.toBe('run_of_another')
  })
})

describe('a trace that leads astray', () => {
  const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }

  test('to the call of another idempotency key finds none', () => {
    admit(draft(key, '5.00', keyed))
    traces.found = 1
    expect(seen(draft(key, '5.00', keyed)).earlier).toMatchObject({ callId: callId(1), sameRequest: true })
    expect(seen(draft(key, '5.00', { ...keyed, idempotencyHash: 'idem_2' })).earlier).toBeNull()
    traces.found = 9
    expect(seen(draft(key, '5.00', keyed)).earlier).toBeNull()
  })

  test('to a write that is another in any way finds none', () => {
    const guarded = { guarded: true, requestHash: 'request_1' }
    const stranger = within(() => added(book))
    admit(draft(key, '5.00', guarded))
    traces.found = 1
    expect(seen(draft(key, '5.00', guarded)).duplicate).toEqual({ callId: callId(1), at: clock.at })
    expect(seen(draft(key, '5.00', { ...guarded, requestHash: 'request_2' })).duplicate).toBeNull()
    expect(seen(draft(key, '5.00', { ...guarded, run: 'run_2' })).duplicate).toBeNull()
    expect(seen(draft(stranger, '5.00', guarded)).duplicate).toBeNull()
    traces.found = 9
    expect(seen(draft(key, '5.00', guarded)).duplicate).toBeNull()
  })

  test('is not laid by a call nobody looks for: a repetition, a read, an unguarded write, a key without a limit', () => {
    const child = within(() => added(book, key.id))
    const write = { ...keyed, guarded: true, perMinute: [null, 10] }
    admit(draft(child, '5.00', write))
    expect(traces.put).toEqual([
      ['rate', key.id],
      ['key', 1],
      ['write', 1],
    ])
    traces.put.length = 0
    traces.found = 1
    const again = admit(draft(child, '5.00', { ...write, perMinute: [null, null] }))
    expect(again.replayOf).toBe(callId(1))
    traces.found = null
    admit(draft(child, '0.00', { guarded: true, effect: 'read', perMinute: [null, null] }))
    admit(draft(child, '5.00', { guarded: false, perMinute: [null, null] }))
    admit(draft(child, '5.00', { ...write, perMinute: [null, null] }), refuse('amount_unknown'))
    expect(traces.put).toEqual([])
  })
})

describe('a transaction that fails', () => {
  test('is taken back also where the file has done so by itself', () => {
    const { end, nextCall } = book
    book.begin()
    const admission = book.admit({ draft: draft(key, '5.00', { budgets: [budget('key:a', '10.00')] }), decide: allow })
    expect(admission).toMatchObject({ callId: callId(1) })
    db.exec('rollback')
    book.undo()
    book.open.delete(1)
    expect([book.end, book.nextCall]).toEqual([end, nextCall])
    expect(book.counters.peek(budget('key:a', '10.00'))).toBeNull()
  })

  test('leaves no row among those that changed', () => {
    book.begin()
    book.admit({ draft: draft(key, '5.00'), decide: allow })
    book.undo()
    book.open.delete(1)
    book.begin()
    expect([...book.commit()]).toEqual([])
    book.begin()
    book.admit({ draft: draft(key, '5.00'), decide: allow })
    book.finish()
    expect([...book.commit()]).toEqual([1])
  })
})

test('a commitment is taken back by the id of the call that made it, and by no other text', () => {
  book.begin()
  expect(() => book.takenBack('sub_1', 'ada', false)).toThrow(/known by the call that made it/)
  book.undo()
})

test.each([
  ['key:key_old', 'key:key_new'],
  ['key:key_old|stripe|out', 'key:key_new|stripe|out'],
  ['key:key_old:run|stripe', 'key:key_new:run|stripe'],
  ['run:key_old:run_7', 'run:key_new:run_7'],
  ['policy:monkey:a|stripe', 'policy:monkey:a|stripe'],
  ['cred:cred_1', 'cred:cred_1'],
])('the counter %s of a key is %s of the one before it', (counter, before) => {
  expect(counterBefore(budget(counter, '1.00'), 'key_new')).toEqual(budget(before, '1.00'))
})

test('a call settled by what the row says of it gives nothing back that another may have counted since', () => {
  const cap = budget('key:a', '1000.00')
  const on = { object: 'pi_1', budgets: [cap] }
  const total = (amount: string) => reply('settled', { object: 'pi_1', total: dollars(amount) })
  admit(draft(key, '10.00', on))
  admit(draft(key, '5.00', on))
  within(() => book.settle(1, total('10.00')))
  book.open.delete(2)
  within(() => book.settle(2, total('5.00')))
  expect(book.counters.peek(cap)).toMatchObject({ spent: dollars('10.00'), held: 0n })
})
