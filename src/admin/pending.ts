import type { CommitmentRow, KeyRecord, Ledger } from '../contracts/ledger.js'
import { formatUsd, usd, type Usd } from '../contracts/money.js'
import type { Budget } from '../contracts/policy.js'
import type { AdminDeps } from './deps.js'
import { ACTOR } from './issue.js'
import { pageOf } from './paging.js'
import { notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { exposureReply, pageQuery, pendingList } from './schemas.js'
import { TAKE_BACK_MAX, takeBackAll } from './take-back.js'
import { budgetsOf, commitmentView, statusOf } from './views.js'

const ROWS_A_PAGE = 500

/** What calls have made that still acts by itself, and what it may yet cost. */
export function pendingRoutes(deps: AdminDeps): Route[] {
  const { ledger } = deps
  return [
    route({
      method: 'get',
      path: '/admin/v1/keys/{id}/pending',
      summary: 'What a key and its children made that is still to come',
      query: pageQuery,
      status: 200,
      reply: pendingList,
      run: async ({ param, query }) => {
        const key = ledger.key(param('id'))
        if (key === null) throw notFound('key')
        const page = await ledger.commitments(key.id, pageOf(query))
        return { pending: page.rows.map(commitmentView), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/exposure',
      summary: 'What may still be lost if every agent does its worst from now on',
      status: 200,
      reply: exposureReply,
      run: async () => exposureView(await exposureOf(deps)),
    }),
  ]
}

/** What still stands of a revoked key, cancelled at the vendors where the operator asks for it. */
export async function pendingOf(deps: AdminDeps, keyId: string, cancel: boolean): Promise<object> {
  const { rows, next } = await deps.ledger.commitments(keyId, { limit: TAKE_BACK_MAX })
  const errors = cancel ? await cancelled(deps, rows) : null
  return {
    pending: rows.map((row, i) => {
      const error = errors?.[i] ?? null
      return {
        ...commitmentView(row),
        cancelled: errors !== null && error === null,
        ...(error === null ? {} : { error }),
      }
    }),
    pending_next_cursor: next,
  }
}

const cancelled = async (deps: AdminDeps, rows: readonly CommitmentRow[]): Promise<readonly (string | null)[]> =>
  deps.reach === undefined
    ? rows.map(() => 'This server cannot reach vendors from here. Cancel it at the vendor by hand.')
    : takeBackAll(rows, deps.reach, deps, ACTOR)

interface Standing {
  scheduled: bigint
  recurring: bigint
  open: bigint
}

/** What may still be lost; null where nothing bounds it. */
export interface Exposure {
  readonly maxLoss: Usd | null
  readonly byKey: readonly {
    readonly id: string
    readonly maxLoss: Usd | null
    readonly capsLeft: Usd | null
    readonly to: { readonly scheduled: Usd; readonly recurring: Usd; readonly open: Usd }
  }[]
}

export async function exposureOf(deps: AdminDeps): Promise<Exposure> {
  const { ledger, clock } = deps
  const nowMs = clock.now()
  const standing = await standingByRoot(ledger)
  const byKey: Exposure['byKey'][number][] = []
  for await (const key of rootKeys(ledger)) {
    const status = statusOf(ledger, key, nowMs)
    const living = status === 'active' || status === 'frozen'
    const { scheduled, recurring, open } = standing.get(key.id) ?? { scheduled: 0n, recurring: 0n, open: 0n }
    const pending = scheduled + recurring + open
    if (!living && pending === 0n) continue
    const left = living ? await capsLeft(deps, key, nowMs) : usd(0n)
    byKey.push({
      id: key.id,
      maxLoss: left === null ? null : usd(left + pending),
      capsLeft: left,
      to: { scheduled: usd(scheduled), recurring: usd(recurring), open: usd(open) },
    })
  }
  return { maxLoss: total(byKey.map(({ maxLoss }) => maxLoss)), byKey }
}

const exposureView = ({ maxLoss, byKey }: Exposure): object => ({
  max_loss_usd: moneyOrNull(maxLoss),
  by_key: byKey.map((line) => ({
    key_id: line.id,
    max_loss_usd: moneyOrNull(line.maxLoss),
    caps_left_usd: moneyOrNull(line.capsLeft),
    scheduled_usd: formatUsd(line.to.scheduled),
    recurring_usd: formatUsd(line.to.recurring),
    open_usd: formatUsd(line.to.open),
  })),
})

async function standingByRoot(ledger: Ledger): Promise<Map<string, Standing>> {
  const found = new Map<string, Standing>()
  let cursor: string | undefined
  do {
    const page = await ledger.commitments(null, { limit: ROWS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const row of page.rows) {
      const root = ledger.key(row.keyId)?.rootId ?? row.keyId
      const sums = found.get(root) ?? { scheduled: 0n, recurring: 0n, open: 0n }
      sums[row.kind] += row.kind === 'recurring' ? row.perMonth : row.counted
      found.set(root, sums)
    }
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return found
}

async function* rootKeys(ledger: Ledger): AsyncGenerator<KeyRecord> {
  let cursor: string | undefined
  do {
    const page = await ledger.keys({ limit: ROWS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const key of page.rows) if (key.parentId === null) yield key
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
}

/** What the tightest budgets leave to a key: one over everything, or one for each of its vendors. Null: nothing bounds it. */
async function capsLeft({ ledger, judge }: AdminDeps, key: KeyRecord, nowMs: number): Promise<Usd | null> {
  const budgets = budgetsOf(ledger, judge, key, nowMs).filter(
    ({ measure, direction, enforce }) => measure === 'spent' && direction === null && enforce,
  )
  const usage = await ledger.usage(budgets)
  const lefts = budgets.map(({ vendor, cap }, i) => ({ vendor, left: cap - usage[i]!.spent - usage[i]!.held }))
  const tightest = (covers: (budget: Pick<Budget, 'vendor'>) => boolean): Usd | null =>
    lefts
      .filter(covers)
      .map(({ left }) => usd(left > 0n ? left : 0n))
      .reduce<Usd | null>((least, left) => (least === null || left < least ? left : least), null)
  const vendors = key.credentialIds.flatMap((id) => ledger.credential(id)?.vendor ?? [])
  const each = total(vendors.map((vendor) => tightest((budget) => budget.vendor === null || budget.vendor === vendor)))
  const whole = tightest((budget) => budget.vendor === null)
  return whole === null || (each !== null && each < whole) ? each : whole
}

/** A sum, which is unknown when any of its parts is. */
const total = (amounts: readonly (Usd | null)[]): Usd | null =>
  amounts.reduce<Usd | null>((sum, amount) => (sum === null || amount === null ? null : usd(sum + amount)), usd(0n))

const moneyOrNull = (amount: Usd | null): string | null => (amount === null ? null : formatUsd(amount))
