import { judge } from '../../policies/index.js'
import { formatUsd, parseUsd, usd, type Usd } from '../../src/contracts/money.js'
import { Dice } from './dice.js'

/** What the simulator knows of time zones: those whose clocks never change, so that a day is arithmetic. */
const OFFSETS_MS = { UTC: 0, 'Asia/Tokyo': 9 * 3_600_000, 'Asia/Kolkata': 5.5 * 3_600_000 } as const
type Zone = keyof typeof OFFSETS_MS
const ZONES = Object.keys(OFFSETS_MS) as Zone[]
export const DAY_MS = 86_400_000

/** One limit, as the simulator itself understands the document. */
export interface Limit {
  readonly per: 'run' | 'day' | 'month'
  readonly vendor: string | null
  readonly cap: Usd
  readonly scope: 'key' | 'policy' | 'credential'
}

/** A policy document, and beside it what it must mean. */
export interface Plan {
  readonly name: string
  readonly zone: Zone
  readonly limits: readonly Limit[]
  readonly approvalAbove: Usd | null
  readonly duplicateMs: number | null
  readonly document: unknown
}

/** The label of the day or month an instant is in; null for a limit that has no window. What a credential's keys share has one calendar. */
export function labelOf({ zone }: Plan, { per, scope }: Limit, at: number): string | null {
  if (per === 'run') return null
  return new Date(at + (scope === 'credential' ? 0 : OFFSETS_MS[zone])).toISOString().slice(0, per === 'day' ? 10 : 7)
}

/** Ms until a zone's next midnight. */
export const untilMidnight = (zone: Zone, at: number): number => DAY_MS - ((at + OFFSETS_MS[zone]) % DAY_MS)

const dollars = (dice: Dice, from: number, to: number): Usd =>
  usd(BigInt(from + dice.below(to - from + 1)) * 1_000_000n)

/** What the versions of a policy have in common: its name, its days, and what all keys under it share. */
export interface Family {
  readonly name: string
  readonly plans: readonly Plan[]
}

const FAMILIES = 24
const VERSIONS = 8
const families = new Map<number, Family>()

/** One of a few hundred documents that there are: reading a new one each time would take longer than the schedule. */
export function drawFamily(dice: Dice): Family {
  const number = dice.below(FAMILIES)
  let family = families.get(number)
  if (family === undefined) families.set(number, (family = familyOf(new Dice(number), `policy-${number}`)))
  return family
}

function familyOf(dice: Dice, name: string): Family {
  const zone = dice.pick(ZONES)
  const shared: Limit[] = []
  if (dice.chance(0.4)) shared.push({ per: 'day', vendor: null, cap: dollars(dice, 30, 80), scope: 'policy' })
  if (dice.chance(0.3)) shared.push({ per: 'month', vendor: null, cap: dollars(dice, 40, 120), scope: 'policy' })
  if (dice.chance(0.3)) shared.push({ per: 'day', vendor: 'stripe', cap: dollars(dice, 30, 80), scope: 'credential' })
  return { name, plans: Array.from({ length: VERSIONS }, () => planOf(dice, name, zone, shared)) }
}

function planOf(dice: Dice, name: string, zone: Zone, shared: readonly Limit[]): Plan {
  const limits: Limit[] = [{ per: 'day', vendor: null, cap: dollars(dice, 15, 60), scope: 'key' }, ...shared]
  if (dice.chance(0.4)) limits.push({ per: 'run', vendor: null, cap: dollars(dice, 10, 40), scope: 'key' })
  if (dice.chance(0.3)) limits.push({ per: 'month', vendor: null, cap: dollars(dice, 30, 90), scope: 'key' })
  if (dice.chance(0.4)) limits.push({ per: 'day', vendor: 'twilio', cap: parseUsd('0.05')!, scope: 'key' })
  if (dice.chance(0.3)) limits.push({ per: 'day', vendor: 'resend', cap: parseUsd('0.003')!, scope: 'key' })
  const approvalAbove = dice.chance(0.25) ? dollars(dice, 6, 10) : null
  const duplicateMs = dice.chance(0.2) ? 600_000 : null
  const [daily, ...others] = limits
  const document = {
    apiVersion: 'spendgate/v1',
    name,
    daily_cap_usd: formatUsd(daily!.cap),
    timezone: zone,
    budgets: others.map(({ per, vendor, cap, scope }) => ({
      per,
      cap_usd: formatUsd(cap),
      ...(vendor === null ? {} : { vendor }),
      ...(scope === 'key' ? {} : { scope }),
    })),
    ...(dice.chance(0.2) ? { rate_limit: { per_minute: 6 + dice.below(20) } } : {}),
    ...(approvalAbove === null ? {} : { approval: { above_usd: formatUsd(approvalAbove) } }),
    ...(duplicateMs === null ? {} : { duplicate_guard: { within: '10m' } }),
    vendors: {
      stripe: {
        endpoints: { allow: ['GET /v1/*', 'POST /v1/refunds', 'POST /v1/payment_intents*'] },
        ...(dice.chance(0.3) ? { customers: ['cus_A'] } : {}),
      },
      twilio: { endpoints: { allow: ['POST /2010-04-01/Accounts/*/Messages.json'] } },
      resend: { endpoints: { allow: ['POST /emails', 'GET /emails'] } },
    },
  }
  const parsed = judge.parse(JSON.stringify(document), null)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return { name, zone, limits, approvalAbove, duplicateMs, document: parsed.document }
}
