import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CallRow, Ledger } from '../../src/contracts/ledger.js'
import { Pulse } from '../../src/dashboard/stream.js'

/* What tells open pages that something happened. */

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function listening(stands = (): boolean => true): {
  readonly happen: () => void
  readonly read: () => Promise<string | null>
  readonly listeners: Set<unknown>
  readonly leave: () => void
} {
  const listeners = new Set<(row: CallRow) => void>()
  const ledger = {
    onChange: (listener: (row: CallRow) => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  } as unknown as Ledger
  const gone = new AbortController()
  const reader = new Pulse(ledger).open(gone.signal, stands).body!.getReader()
  return {
    listeners,
    happen: () => listeners.forEach((listener) => listener(null as unknown as CallRow)),
    read: async () => {
      const { value, done } = await reader.read()
      return done ? null : new TextDecoder().decode(value)
    },
    leave: () => gone.abort(),
  }
}

const CHANGE = 'event: change\ndata: {}\n\n'

test('a thousand calls within a second are two marks', async () => {
  const { happen, read } = listening()
  expect(await read()).toMatch(/^retry: /)
  for (let i = 0; i < 500; i++) happen()
  expect(await read()).toBe(CHANGE)
  for (let i = 0; i < 500; i++) happen()
  const next = read()
  let came = false
  void next.then(() => (came = true))
  await vi.advanceTimersByTimeAsync(900)
  expect(came).toBe(false)
  await vi.advanceTimersByTimeAsync(200)
  expect(await next).toBe(CHANGE)
})

test('time itself is a change, for what was decided elsewhere', async () => {
  const { read } = listening()
  await read()
  const next = read()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await next).toBe(CHANGE)
})

test('a session that is over ends its stream', async () => {
  let stands = true
  const { read, listeners } = listening(() => stands)
  await read()
  stands = false
  const next = read()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await next).toBe('event: over\ndata: {}\n\n')
  expect(await read()).toBeNull()
  expect(listeners.size).toBe(0)
})

test('a reader that went away leaves nothing behind', async () => {
  const { read, leave, listeners } = listening()
  await read()
  leave()
  expect(listeners.size).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})
