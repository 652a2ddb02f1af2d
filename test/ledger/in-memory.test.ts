import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Bursts } from '../../src/ledger/bursts.js'
import { OpenCall, OpenCalls } from '../../src/ledger/open-calls.js'
import { RateWindows } from '../../src/ledger/rate.js'
import { Recent } from '../../src/ledger/recent.js'
import type { Tally } from '../../src/ledger/tallies.js'

// What the ledger keeps beside its tables, each part by itself: bounds and rare turns that a whole ledger seldom meets.

const tally = (over: Partial<Tally> = {}): Tally => ({
  at: 1_000_000,
  keyId: 'key_1',
  rootId: 'key_1',
  run: 'run',
  vendor: 'stripe',
  operation: 'refunds.create',
  ...over,
})

describe('the rate window', () => {
  const NOW = 10_000_000
  const empty = () => new RateWindows(() => [])

  test('holds what came in the last 60 s, and knows the oldest of it', () => {
    const windows = empty()
    expect(windows.read('a', NOW)).toEqual({ count: 0, oldestAt: NOW })
    windows.add('a', NOW)
    windows.add('a', NOW + 10)
    expect(windows.read('a', NOW + 59_999)).toEqual({ count: 2, oldestAt: NOW })
    expect(windows.read('a', NOW + 60_000)).toEqual({ count: 1, oldestAt: NOW + 10 })
    expect(windows.read('a', NOW + 60_010)).toEqual({ count: 0, oldestAt: NOW + 60_010 })
    expect(windows.read('b', NOW)).toEqual({ count: 0, oldestAt: NOW })
  })

  test('is filled once a key, with what came since 60 s ago, and again when it was forgotten', () => {
    const asked: [string, number][] = []
    const windows = new RateWindows((key, since) => {
      asked.push([key, since])
      return [NOW - 60_000, NOW - 1]
    })
    expect(windows.read('a', NOW)).toEqual({ count: 1, oldestAt: NOW - 1 })
    windows.add('a', NOW)
    expect(asked).toEqual([['a', NOW - 60_000]])
    windows.forget()
    expect(windows.read('a', NOW + 5).count).toBe(1)
    expect(asked).toEqual([
      ['a', NOW - 60_000],
      ['a', NOW + 5 - 60_000],
    ])
  })

  test('counts right through thousands of calls that come and go', () => {
    const windows = empty()
    const times: number[] = []
    for (let i = 0; i < 5_000; i++) {
      // In waves, so that the window is long at times and short at others.
      const at = NOW + i * (i % 1_000 < 900 ? 20 : 700)
      if (at < (times.at(-1) ?? 0)) continue
      times.push(at)
      windows.add('a', at)
      if (i % 97 !== 0) continue
      const within = times.filter((time) => time > at - 60_000)
      expect(windows.read('a', at)).toEqual({ count: within.length, oldestAt: within[0] })
    }
    const last = times.at(-1)!
    expect(windows.read('a', last + 60_000)).toEqual({ count: 0, oldestAt: last + 60_000 })
  })

  test('lets go of what it has left behind, and not before half of it has', () => {
    const times = Array.from({ length: 3_000 }, (_, i) => NOW + i)
    const windows = new RateWindows(() => times)
    windows.read('a', NOW)
    // 1,400 of 3,000 are past, then 1,600: the list is handed over whole, and cut when it has become the smaller part.
    expect(windows.read('a', NOW + 60_000 + 1_399)).toEqual({ count: 1_600, oldestAt: NOW + 1_400 })
    expect(windows.read('a', NOW + 60_000 + 1_599)).toEqual({ count: 1_400, oldestAt: NOW + 1_600 })
    windows.add('a', NOW + 60_000 + 1_600)
    expect(times).toHaveLength(3_000)
    expect(windows.read('a', NOW + 60_000 + 1_600)).toEqual({ count: 1_400, oldestAt: NOW + 1_601 })
  })

  test.each([
    ['half of a long list', 3_000, 1_500],
    ['1,024 calls', 2_000, 1_024],
    ['most of a short list', 10, 9],
  ])('lets go of nothing while what is past is %s', (_, count, past) => {
    const times = Array.from({ length: count }, (_call, i) => NOW + i)
    const windows = new RateWindows(() => times)
    const at = NOW + 60_000 + past - 1
    windows.add('a', at)
    expect(times).toHaveLength(count + 1)
    expect(windows.read('a', at)).toEqual({ count: count - past + 1, oldestAt: NOW + past })
  })
})

describe('the calls of the last day', () => {
  const DAY = 24 * 3_600_000
  const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')

  test('are found by their text, the last of one text', () => {
    const recent = new Recent(DAY, 0)
    expect(recent.find('a')).toBeNull()
    recent.put('a', 1, 0)
    recent.put('b', 2, 0)
    recent.put('a', 3, 0)
    expect([recent.find('a'), recent.find('b'), recent.find('c'), recent.find('')]).toEqual([3, 2, null, null])
  })

  test('are all found, however many there are, and no other', () => {
    const recent = new Recent(DAY, 0)
    const COUNT = 20_000
    for (let i = 1; i <= COUNT; i++) recent.put(digest(`key ${i}`), i, 0)
    for (let i = 1; i <= COUNT; i++) expect(recent.find(digest(`key ${i}`))).toBe(i)
    for (let i = 1; i <= 1_000; i++) expect(recent.find(digest(`other ${i}`))).toBeNull()
  })

  test('are remembered for a day at least and two at most', () => {
    const recent = new Recent(DAY, 1_000)
    recent.put('first', 1, 1_000)
    recent.put('late', 2, 1_000 + DAY - 1)
    recent.put('next', 3, 1_000 + DAY)
    expect([recent.find('first'), recent.find('late'), recent.find('next')]).toEqual([1, 2, 3])
    recent.put('still', 4, 1_000 + 2 * DAY - 1)
    expect(recent.find('late')).toBe(2)
    recent.put('after', 5, 1_000 + 2 * DAY)
    expect(['first', 'late', 'next', 'still', 'after'].map((text) => recent.find(text))).toEqual([null, null, 3, 4, 5])
  })

  test('of a text that came again later are the later ones', () => {
    const recent = new Recent(DAY, 0)
    recent.put('a', 1, 0)
    recent.put('a', 2, DAY)
    expect(recent.find('a')).toBe(2)
  })
})

describe('calls under way', () => {
  let seq = 0
  const call = ({ elsewhere, ...over }: Partial<OpenCall> = {}): OpenCall =>
    new OpenCall(
      {
        ...tally(),
        seq: ++seq,
        reserved: 1n,
        counters: [],
        credentialId: 'cred_1',
        object: 'pi_1',
        replayOf: null,
        commits: false,
        actsOn: ['pi_1'],
        state: 'reserved',
        dispatched: false,
        overlapped: false,
        ...over,
      },
      elsewhere,
    )

  test('are found by number, in the order they came, until they are over', () => {
    const open = new OpenCalls()
    expect(open.oldest()).toBeNull()
    const [first, second] = [call(), call({ actsOn: [] })]
    open.add(first)
    open.add(second)
    expect([open.get(first.seq), open.get(second.seq), open.get(0)]).toEqual([first, second, undefined])
    expect([...open.all()]).toEqual([first, second])
    expect(open.oldest()).toBe(first.seq)
    open.delete(first.seq)
    open.delete(first.seq)
    expect([open.oldest(), open.get(first.seq)]).toEqual([second.seq, undefined])
    open.delete(second.seq)
    expect(open.oldest()).toBeNull()
  })

  test('overlap on the same object of the same credential, and on no other', () => {
    const open = new OpenCalls()
    const first = call()
    const elsewhere = call({ actsOn: ['pi_2'] })
    const stranger = call({ credentialId: 'cred_2' })
    for (const each of [first, elsewhere, stranger]) open.add(each)
    expect([first, elsewhere, stranger].map(({ overlapped }) => overlapped)).toEqual([false, false, false])
    const both = call({ actsOn: ['pi_1', 'pi_2'] })
    open.add(both)
    expect([first, elsewhere, stranger, both].map(({ overlapped }) => overlapped)).toEqual([true, true, false, true])
  })

  test('do not overlap with one that is over, nor with one whose outcome is booked', () => {
    const open = new OpenCalls()
    const over = call()
    open.add(over)
    open.delete(over.seq)
    const booked = call({ state: 'settled' })
    open.add(booked)
    const next = call()
    open.add(next)
    expect([over, booked, next].map(({ overlapped }) => overlapped)).toEqual([false, false, false])
    const third = call()
    open.add(third)
    expect([booked, next, third].map(({ overlapped }) => overlapped)).toEqual([false, true, true])
  })

  test('overlap with what is still under way on their object after another is over', () => {
    const open = new OpenCalls()
    const [first, second] = [call(), call()]
    open.add(first)
    open.add(second)
    second.overlapped = false
    open.delete(first.seq)
    const third = call()
    open.add(third)
    expect([second, third].map(({ overlapped }) => overlapped)).toEqual([true, true])
  })

  test('tell of each that comes, and of those it overlaps with', () => {
    const told: number[] = []
    const open = new OpenCalls(({ seq: of }) => void told.push(of))
    const [first, second] = [call(), call()]
    open.add(first)
    open.add(second)
    expect(told).toEqual([first.seq, second.seq, first.seq])
  })

  test('that other nodes send are forgotten together, and no others', () => {
    const open = new OpenCalls()
    const [own, foreign] = [call({ actsOn: [] }), call({ elsewhere: true })]
    open.add(own)
    open.add(foreign)
    open.forgetElsewhere()
    expect([...open.all()]).toEqual([own])
    const next = call()
    open.add(next)
    expect(next.overlapped).toBe(false)
  })
})

describe('a burst of refusals', () => {
  test('has rows of its own for the first twenty of a second, and shares the twentieth from then on', () => {
    const bursts = new Bursts()
    const rows = Array.from({ length: 23 }, (_, i) =>
      bursts.shared('rate_limited', tally({ at: 1_000_000 + i, run: `run_${i}` }), 100 + i),
    )
    expect(rows.slice(0, 20)).toEqual(Array(20).fill(null))
    for (const shared of rows.slice(20)) expect(shared).toMatchObject({ seq: 119, tally: { run: 'run_19' } })
    expect(bursts.shared('rate_limited', tally({ at: 1_001_000 }), 200)).toBeNull()
  })

  test('is one of a key, a code and a second', () => {
    const bursts = new Bursts()
    for (let i = 0; i < 20; i++) bursts.shared('rate_limited', tally(), i)
    expect(bursts.shared('rate_limited', tally(), 30)).not.toBeNull()
    expect(bursts.shared('key_frozen', tally(), 31)).toBeNull()
    expect(bursts.shared('rate_limited', tally({ keyId: 'key_2' }), 32)).toBeNull()
    expect(bursts.shared('rate_limited', tally({ at: 1_000_999 }), 33)).not.toBeNull()
    expect(bursts.shared('rate_limited', tally({ at: 1_001_000 }), 34)).toBeNull()
  })

  test('is remembered among ten thousand others, and forgotten with them when one more comes', () => {
    const bursts = new Bursts()
    for (let i = 0; i < 20; i++) bursts.shared('rate_limited', tally(), i)
    const others = (from: number, to: number): void => {
      for (let i = from; i < to; i++) bursts.shared('rate_limited', tally({ keyId: `other_${i}` }), 100 + i)
    }
    others(0, 10_000)
    expect(bursts.shared('rate_limited', tally(), 20_000)).toMatchObject({ seq: 19 })
    others(10_000, 10_001)
    expect(bursts.shared('rate_limited', tally(), 20_001)).toBeNull()
  })

  test('is forgotten after a rollback', () => {
    const bursts = new Bursts()
    for (let i = 0; i < 25; i++) bursts.shared('rate_limited', tally(), i)
    bursts.clear()
    expect(bursts.shared('rate_limited', tally(), 30)).toBeNull()
  })
})
