import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/package-root.js'

/*
 * Where each promise is proved. `promises.test.ts` shows every one of them once; what is hard about it has tests of its
 * own, and a promise whose proof is renamed or taken away is found here.
 */

interface Proof {
  readonly promise: string
  /** Files under test/, and words that stand in the name of a test there. */
  readonly by: readonly (readonly [file: string, words: string])[]
}

const PROOFS: readonly Proof[] = [
  {
    promise: '1. Admitted spend in a window never exceeds its cap, whatever the concurrency, crash or node count.',
    by: [
      ['pipeline/races.test.ts', 'exactly as many arrive as the last dollars pay for'],
      ['crash/killed.ts', 'loses no acknowledged call, sends nothing unbooked, and never passes a cap'],
      ['crash/migration.test.ts', 'leaves whole steps'],
      ['soak/soak.test.ts', 'a ledger that is what the vendor did'],
    ],
  },
  {
    promise: '2. Every request that names a known key leaves exactly one row, durable before the vendor sees a byte;',
    by: [
      ['crash/killed.ts', 'sends nothing unbooked'],
      ['pipeline/faults.test.ts', 'our own process is killed after the request has left'],
      ['pipeline/client-hangs-up.test.ts', ''],
    ],
  },
  {
    promise:
      '3. What was judged is what is sent: strict parse, refuse ambiguity, send the re-serialised canonical form.',
    by: [
      ['wire/form.test.ts', ''],
      ['wire/json.test.ts', ''],
      ['attacks/smuggling.test.ts', ''],
    ],
  },
  {
    promise: '4. After `revoke` returns nothing more leaves under that key.',
    by: [
      ['pipeline/revoke-storm.test.ts', 'none sends a byte after the reply, and what had left is named'],
      ['pipeline/revoke-storm.test.ts', 'nothing it covers leaves until it is lifted'],
      ['pipeline/revoke-storm.test.ts', 'sends nothing from that instant on'],
      ['promises/streams.test.ts', 'a wait for a person ends when'],
      ['promises/revoked-for-good.test.ts', 'has no call that takes a revocation back'],
    ],
  },
  {
    promise: '5. A real credential, the master key and admin tokens appear in no reply, log, row, backup or error.',
    by: [
      ['attacks/secrets-canary.test.ts', ''],
      ['attacks/echoed-credential.test.ts', ''],
    ],
  },
  {
    promise: '6. An unknown outcome stays counted until the vendor’s records or the operator say otherwise.',
    by: [
      ['pipeline/faults.test.ts', 'the request has left, so it is assumed and counts'],
      ['pipeline/faults.test.ts', 'no byte can have left, so it is released'],
      ['pipeline/unknown-outcomes.test.ts', 'days and restarts do not make an unknown outcome known'],
    ],
  },
  {
    promise: '7. What we do not understand and could cost money, we refuse.',
    by: [
      ['attacks/unknown-operations.test.ts', ''],
      ['attacks/every-operation.test.ts', ''],
    ],
  },
  {
    promise: '8. Agents see vendor-shaped answers only, and no SDK retries a policy refusal.',
    by: [
      ['sdk/stripe.test.ts', ''],
      ['sdk/twilio.test.ts', ''],
      ['sdk/resend.test.ts', ''],
      ['pipeline/faults.test.ts', 'the vendor answers with an error'],
    ],
  },
]

const read = (file: string): string => readFileSync(join(packageRoot(), 'test', file), 'utf8')

describe.each(PROOFS.map(({ promise, by }) => [promise, by] as const))('%s', (promise, by) => {
  test('is shown once, in the words of the promise', () => {
    expect(read('promises/promises.test.ts')).toContain(promise)
  })

  test.each(by)('is proved by test/%s %s', (file, words) => {
    expect(existsSync(join(packageRoot(), 'test', file)), file).toBe(true)
    // Only what is given to a test or a group of tests as its name.
    const names = [...read(file).matchAll(/(?:describe|test)(?:\.\w+)?(?:\([^'"`]*\))*\(\s*(['"`])([\s\S]*?)\1/g)]
    expect(names.map(([, , name]) => name!).filter((name) => name.includes(words))).not.toEqual([])
  })
})
