import type { KeyRecord } from '../contracts/ledger.js'
import { formatUsd, type Usd } from '../contracts/money.js'
import { exposureOf, type Exposure } from '../exposure/index.js'
import type { AdminDeps } from './deps.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { exposureReply } from './schemas.js'

/** Keys that are named when nothing bounds them. */
const NAMED_MAX = 3

/** What may still be lost. */
export function exposureRoutes(deps: AdminDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/v1/exposure',
      needs: 'viewer',
      summary: 'What may still be lost if every agent does its worst from now on',
      status: 200,
      reply: exposureReply,
      run: async () => exposureView(await exposureOf(deps), (id) => deps.ledger.key(id)),
    }),
  ]
}

const exposureView = (exposure: Exposure, keyOf: (id: string) => KeyRecord | null): object => ({
  max_loss_usd: moneyOrNull(exposure.maxLoss),
  caps_left_usd: moneyOrNull(exposure.capsLeft),
  held_usd: formatUsd(exposure.held),
  why: whyNoLimit(exposure, keyOf),
  by_key: exposure.byKey.map((line) => ({
    key_id: line.id,
    max_loss_usd: moneyOrNull(line.maxLoss),
    caps_left_usd: moneyOrNull(line.capsLeft),
    held_usd: formatUsd(line.held),
    scheduled_usd: formatUsd(line.to.scheduled),
    recurring_usd: formatUsd(line.to.recurring),
    open_usd: formatUsd(line.to.open),
    unlimited_open: line.unlimited,
  })),
})

function whyNoLimit({ maxLoss, byKey }: Exposure, keyOf: (id: string) => KeyRecord | null): string | null {
  if (maxLoss !== null) return null
  const names = byKey.filter(({ capsLeft }) => capsLeft === null).map(({ id }) => keyOf(id)?.name ?? id)
  const more = names.length - NAMED_MAX
  return `Nothing bounds ${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}: give each policy a cap over everything (daily_cap_usd), or one for each of its vendors.`
}

const moneyOrNull = (amount: Usd | null): string | null => (amount === null ? null : formatUsd(amount))
