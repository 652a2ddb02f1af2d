import { expect, test } from 'vitest'
import { Passing } from '../../src/ledger/passing.js'

test('who stays is found, in the order of arrival, however many go', () => {
  const calls = new Passing<number, string>()
  for (let seq = 1; seq <= 5_000; seq++) {
    calls.set(seq, `call ${seq}`)
    if (seq > 64 && seq % 100 !== 0) calls.delete(seq - 64)
  }
  const expected = Array.from({ length: 5_000 }, (_, at) => at + 1).filter(
    (seq) => seq > 4_936 || (seq + 64) % 100 === 0,
  )
  expect([...calls.keys()]).toEqual(expected)
  expect([...calls.values()]).toEqual(expected.map((seq) => `call ${seq}`))
  expect(calls.get(36)).toBe('call 36')
  expect(calls.get(37)).toBeUndefined()
})

test('all may be taken out while they are gone through', () => {
  const calls = new Passing<number, number>()
  for (let seq = 0; seq < 3_000; seq++) calls.set(seq, seq)
  const seen: number[] = []
  for (const seq of calls.values()) {
    seen.push(seq)
    calls.delete(seq)
  }
  expect(seen).toHaveLength(3_000)
  expect([...calls.keys()]).toEqual([])
  calls.set(1, 1)
  calls.clear()
  expect([...calls.keys()]).toEqual([])
})
