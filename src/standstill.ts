import type { Denial } from './contracts/call.js'
import type { Engine } from './engine.js'
import { recoveryOf, recoverySentence } from './ledger/recovery.js'

/** Why no call may cost money at present, whatever its policy says; null when it may. Reads go on meanwhile. */
export function standstill({ clock, ledger }: Pick<Engine, 'clock' | 'ledger'>): Denial | null {
  const suspect = clock.suspect()
  if (suspect !== null)
    return {
      code: 'clock_suspect',
      rule: 'clock',
      message: `${suspect} Calls that cost money wait until it is right, or the operator confirms it with «spendgate db confirm-clock».`,
    }
  const recovery = recoveryOf(ledger)
  return recovery && { code: 'ledger_unavailable', rule: 'recovery', message: recoverySentence(recovery) }
}
