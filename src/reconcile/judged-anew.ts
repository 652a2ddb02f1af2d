import type { Call, Denial, Direction, Quote } from '../contracts/call.js'
import type { DoubtRow } from '../contracts/ledger.js'
import { ZERO } from '../contracts/money.js'
import type { Approval, Usage } from '../contracts/policy.js'
import type { Explanation } from '../contracts/vendor.js'
import type { Engine, OpenCredential, VendorRuntime } from '../engine.js'
import { effectsOf } from '../pipeline.js'
import { resolve } from '../resolve.js'
import type { Understood } from './understand.js'

/**
 * Whether the policies in force let a call of the past pass once more: its operation, whom it concerns and its amount.
 * They may have been narrowed since, under the key or above it. What budgets count of it they count already, so only
 * those that it would pass by itself stop it; that it is a repetition waives nothing.
 *
 * @param stopped whether key, ancestors, freezes or the ledger's state stop it: asked before each look-up
 * @returns the question, to be asked in the very turn of the first byte, or a sentence on why it cannot be
 */
export async function judgedAnew(
  row: DoubtRow,
  { match, question: asked, explanation: booked }: Understood,
  runtime: VendorRuntime,
  credential: OpenCredential,
  stopped: () => Denial | null,
  engine: Engine,
): Promise<(() => Denial | null) | string> {
  const { ledger, judge, standings, clock, unlocked } = engine
  const { vendor } = runtime
  const { operation } = match
  const standing = () => standings.of(ledger.key(row.keyId)!)
  const question = { ...asked, restricted: standing().restricted(vendor.name) }
  const approval = await approvalOf(row, engine)
  const callAs = ({ subjects, effects = [] }: Explanation): Call => ({
    vendor: vendor.name,
    endpoint: `${row.method} ${row.path}`,
    aliases: match.aliases,
    operation: operation.id,
    effects: effectsOf(operation, { ...booked, effects: [...(booked.effects ?? []), ...effects] }),
    quote: quoteOf(row),
    subjects: { ...subjects, ...common?.subjects },
    commits: booked.commits ?? null,
    reason: row.reason,
  })
  const usageNow = (): Usage => ({
    nowMs: clock.now(),
    keys: [],
    frozen: null,
    budgets: judge
      .budgets(
        standing().levels,
        { vendor: vendor.name, credentialId: row.credentialId, direction: row.direction as Direction },
        clock.now(),
      )
      .map((budget) => ({ ...budget, spent: ZERO, held: ZERO })),
    amount: row.reserved,
    recurring: booked.commits?.perMonth ?? ZERO,
    earlier: null,
    duplicate: null,
    approval,
    approvalsFull: false,
    rate: [],
    rateCounted: true,
  })

  const common = vendor.common?.(question)
  if (common?.refuse) return common.refuse.message
  if (operation.never !== undefined && !unlocked.has(operation.id)) return operation.never
  let explained = operation.explain?.(question) ?? { quote: { basis: 'free' }, subjects: {} }
  if ('lookUp' in explained) {
    // What may not go on must not cause a read either.
    const screened = judge.screen(callAs({ ...booked, subjects: {} }), usageNow(), standing().policies)
    if (screened !== null) return screened.message
    const resolved = await resolve(explained, runtime, credential, engine.upstream, clock, stopped)
    if (resolved.explanation === null) return resolved.denial!.message
    explained = resolved.explanation
  }
  if (explained.refuse) return explained.refuse.message
  if (explained.never !== undefined && !unlocked.has(operation.id)) return explained.never
  const call = callAs(explained)
  return () => {
    const { verdict, denial } = judge.decide(call, usageNow(), standing().policies)
    return verdict === 'deny' ? denial : null
  }
}

/** What it was let through at. */
function quoteOf({ basis, quoted }: DoubtRow): Quote {
  if (basis === 'exact' || basis === 'ceiling') return { basis, amount: quoted }
  return basis === 'free'
    ? { basis, why: 'It was quoted at nothing.' }
    : { basis: 'unpriceable', why: 'It had no price when it was let through.' }
}

/** The approval that the call used up is for it, however often it is sent. Among more than these it is as good as none. */
async function approvalOf({ id, keyId }: DoubtRow, { ledger }: Engine): Promise<Approval | null> {
  const { rows } = await ledger.approvals({ state: 'used', key: keyId }, { limit: APPROVALS_MAX })
  const used = rows.find(({ usedBy }) => usedBy === id)
  if (used === undefined) return null
  return { id: used.id, state: 'approved', ceiling: used.ceiling, expiresAt: Number.POSITIVE_INFINITY, reason: null }
}
const APPROVALS_MAX = 500
