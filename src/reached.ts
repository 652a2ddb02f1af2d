import type { Clock } from './contracts/clock.js'
import type { Ledger } from './contracts/ledger.js'

/** The setting that says which rows no longer tell how far time has come: the operator confirmed another time since. */
const CONFIRMED = 'clock'

interface Confirmed {
  /** Epoch ms. */
  readonly at: number
  /** The last row of then. */
  readonly afterCall: number
}

/** How far time has come by what the ledger holds, epoch ms; 0 when it holds nothing. */
export async function reached(ledger: Pick<Ledger, 'calls' | 'setting'>): Promise<number> {
  const confirmed = ledger.setting(CONFIRMED) as Confirmed | undefined
  const newest = await newestOf(ledger)
  if (confirmed !== undefined && (newest === undefined || newest.seq <= confirmed.afterCall)) return confirmed.at
  return newest?.at ?? 0
}

/** Books that the wall clock is right, so that rows of another time do not bring the doubt back at the next start. */
export async function confirmTime(
  ledger: Pick<Ledger, 'calls' | 'setting' | 'putSetting'>,
  clock: Clock,
  actor: string,
): Promise<void> {
  const confirmed: Confirmed = { at: clock.now(), afterCall: (await newestOf(ledger))?.seq ?? 0 }
  await ledger.putSetting(CONFIRMED, confirmed, actor)
}

const newestOf = async (ledger: Pick<Ledger, 'calls'>) => (await ledger.calls({}, { limit: 1 })).rows[0]
