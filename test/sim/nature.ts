import { createRequire, syncBuiltinESMExports } from 'node:module'
import type * as Crypto from 'node:crypto'
import { Dice } from './dice.js'
import type { Loop } from './loop.js'

const real = {
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  dateNow: Date.now,
}
const crypto = createRequire(import.meta.url)('node:crypto') as { -readonly [name in keyof typeof Crypto]: unknown }
const realCrypto = { randomBytes: crypto.randomBytes, randomInt: crypto.randomInt }

/** Resolves when every promise that could go on has gone on: the queue of microtasks is empty before the next turn. */
export const settled = (): Promise<void> => new Promise((resolve) => void real.setImmediate(resolve))

/** Real ms, for rates and time limits. */
export const stopwatch = (): number => real.dateNow()

/**
 * Puts time, timers and randomness of this process under a schedule's control. What the code under test reads from the
 * system comes from the seed then.
 *
 * @param wallNow epoch ms by the machine's clock, which can be set
 * @returns the way back
 */
export function takeNature(loop: Loop, wallNow: () => number, seed: number): () => void {
  const dice = new Dice(seed ^ 0x5eed)
  const global = globalThis as unknown as Record<string, unknown>
  global.setImmediate = (run: (...args: unknown[]) => void, ...args: unknown[]) => loop.immediate(() => run(...args))
  global.clearImmediate = (handle: unknown) => loop.clear(handle)
  global.setTimeout = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    loop.timer(ms, () => run(...args))
  global.clearTimeout = (handle: unknown) => loop.clear(handle)
  Date.now = wallNow
  performance.now = () => loop.now
  crypto.randomBytes = (size: number) => Buffer.from(Array.from({ length: size }, () => dice.below(256)))
  crypto.randomInt = (end: number) => dice.below(end)
  syncBuiltinESMExports()
  return () => {
    global.setImmediate = real.setImmediate
    global.clearImmediate = real.clearImmediate
    global.setTimeout = real.setTimeout
    global.clearTimeout = real.clearTimeout
    Date.now = real.dateNow
    Reflect.deleteProperty(performance, 'now')
    Object.assign(crypto, realCrypto)
    syncBuiltinESMExports()
  }
}
