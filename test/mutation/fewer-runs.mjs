import { createRequire } from 'node:module'
import { getCurrentTest } from 'vitest/suite'
import { chosen } from './groups.mjs'

// What tests import as fast-check. Every mutant runs the properties again, so each is tried a few times only, and always
// on the same values: what a mutant scores must not hang on luck. One that asks for thousands of tries says little
// after a few, and is left out: an example has to see the mutant. Nobody reads what fails, so nothing is made smaller.
const real = createRequire(import.meta.url)('fast-check')
// One try of a ledger is many calls.
const RUNS = ['settling', 'book', 'records'].includes(chosen().name) ? 4 : 20

function assert(property, wanted = {}) {
  const runs = wanted.numRuns ?? 100
  if (runs > 5_000) getCurrentTest().context.skip(`asks for ${runs} tries`)
  return real.assert(property, { ...wanted, numRuns: Math.min(runs, RUNS), seed: 20261121, endOnFailure: true })
}

/** As fast-check's own units of this name, which make a table of all of Unicode when they are first asked for. */
const binary = real
  .integer({ min: 0, max: 0x10ffff })
  .filter((point) => point < 0xd800 || point > 0xdfff)
  .map((point) => String.fromCodePoint(point))
const string = (wanted = {}) => real.string(wanted.unit === 'binary' ? { ...wanted, unit: binary } : wanted)

export default { ...real, assert, string }
