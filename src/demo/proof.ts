import type { Movement } from '../../fixtures/simulators/index.js'
import { formatUsd, parseUsd, priced, sumOfProducts, usd, ZERO, type Usd } from '../contracts/money.js'
import type { PriceTable } from '../contracts/vendor.js'
import type { Stage } from './stage.js'
import type { Step } from './story.js'

/** What the demo ends with: the ledger's account of it, beside what really arrived at the simulated vendors. */
export interface Proof {
  readonly ok: boolean
  readonly vendors: readonly VendorProof[]
  readonly runs: readonly RunTotal[]
  /** What the agent asked for and what of it got through, USD. */
  readonly askedUsd: string
  readonly spentUsd: string
  /** Sentences on what is not as it should be; none when `ok`. */
  readonly faults: readonly string[]
}

export interface VendorProof {
  readonly vendor: string
  readonly ledgerUsd: string
  /** From the vendor's own record of what moved; text messages and e-mails at the price table's price a unit. */
  readonly vendorUsd: string
  /** Calls the ledger let out, and writes that arrived. */
  readonly admitted: number
  readonly arrived: number
}

export interface RunTotal {
  readonly run: string
  readonly calls: number
  readonly denied: number
  readonly spent_usd: string
  readonly held_usd: string
  readonly by_vendor: Readonly<Record<string, string>>
}

interface SpendRow {
  readonly vendor: string
  readonly spent_usd: string
  readonly held_usd: string
  readonly calls: number
  readonly denied: number
}

/** Compares the two sides. Nothing the ledger says is used to work out what the vendors saw. */
export async function prove(stage: Stage, steps: readonly Step[]): Promise<Proof> {
  const { admin } = stage
  const { rows } = await admin.get<{ rows: readonly SpendRow[] }>('/spend', { by: 'vendor' })
  const { runs } = await admin.get<{ runs: readonly RunTotal[] }>('/runs')
  const { faults: chain } = await admin.get<{ faults: readonly string[] }>('/audit/verify')
  const seen = await seenByVendors(stage)
  const faults: string[] = steps.flatMap(({ what, surprise }) => (surprise === null ? [] : [`${what}: ${surprise}.`]))
  const vendors = Object.entries(seen).map(([vendor, { amount, arrived }]): VendorProof => {
    const row = rows.find((each) => each.vendor === vendor)
    const ledgerUsd = row?.spent_usd ?? '0.00'
    const admitted = (row?.calls ?? 0) - (row?.denied ?? 0)
    const vendorUsd = formatUsd(amount)
    if (ledgerUsd !== vendorUsd) faults.push(`The ledger has $${ledgerUsd} for ${vendor}, which saw $${vendorUsd}.`)
    if (row && row.held_usd !== '0.00') faults.push(`$${row.held_usd} is still held for ${vendor}.`)
    if (admitted !== arrived) faults.push(`${admitted} calls were let out to ${vendor}, where ${arrived} arrived.`)
    return { vendor, ledgerUsd, vendorUsd, admitted, arrived }
  })
  const requests = Object.values(stage.vendors).flatMap((vendor) => vendor.requests)
  if (JSON.stringify(requests).includes('vault_')) faults.push('A vault key reached a vendor.')
  faults.push(...chain)
  return {
    ok: faults.length === 0,
    vendors,
    runs,
    askedUsd: total(steps.map((step) => step.askedUsd ?? '0')),
    spentUsd: total(rows.map((row) => row.spent_usd)),
    faults,
  }
}

interface Seen {
  readonly amount: Usd
  readonly arrived: number
}

async function seenByVendors({ admin, vendors }: Stage): Promise<Record<keyof Stage['vendors'], Seen>> {
  const twilio = await admin.get<PriceTable>('/prices/twilio')
  const resend = await admin.get<PriceTable>('/prices/resend')
  const part = sumOfProducts(['seg', 'carrier'].map((column) => [twilio.prefixes.sms!['+1']![column]!, '1'] as const))
  const sum = (vendor: keyof Stage['vendors'], price: (movement: Movement) => Usd): Seen => ({
    amount: usd(vendors[vendor].moved().reduce((all, movement) => all + price(movement), ZERO as bigint)),
    arrived: vendors[vendor].requests.filter(({ method }) => method !== 'GET').length,
  })
  return {
    stripe: sum('stripe', ({ amount }) => priced(String(amount), '0.01')),
    twilio: sum('twilio', ({ units }) => priced(String(units), part, twilio.safety)),
    resend: sum('resend', ({ units }) => priced(String(units), resend.flat.email!, resend.safety)),
  }
}

const total = (texts: readonly string[]): string =>
  formatUsd(usd(texts.reduce((sum, text) => sum + parseUsd(text)!, ZERO as bigint)))
