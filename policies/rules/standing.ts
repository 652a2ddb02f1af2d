import type { Usage } from '../../src/contracts/policy.js'
import { instant } from './rule.js'
import type { Spoken, SpokenRule } from './rule.js'

/** A key lives while neither it nor an ancestor is revoked or expired, and works while no freeze covers the call. */
export const standing: SpokenRule = {
  name: 'standing',
  unwaivable: true,
  check: (_call, usage) => revoked(usage) ?? expired(usage) ?? frozen(usage),
}

function revoked({ keys }: Usage): Spoken | null {
  for (const key of keys) {
    if (key.revokedAt === null) continue
    const why = key.revokeReason === null ? '' : `: "${key.revokeReason}"`
    return {
      code: 'key_revoked',
      message: `${key.id} (${key.name}) was revoked at ${instant(key.revokedAt)}${why}. Do not retry.`,
    }
  }
  return null
}

function expired({ keys, nowMs }: Usage): Spoken | null {
  for (const key of keys) {
    if (key.expiresAt === null || nowMs < key.expiresAt) continue
    return {
      code: 'key_expired',
      message: `${key.id} (${key.name}) expired at ${instant(key.expiresAt)}. Do not retry.`,
    }
  }
  return null
}

function frozen({ frozen }: Usage): Spoken | null {
  if (frozen === null) return null
  const why = frozen.reason === null ? '' : `: "${frozen.reason}"`
  return {
    code: 'key_frozen',
    message: `Frozen by the operator since ${instant(frozen.at)} (scope: ${frozen.scope})${why}. Do not retry.`,
  }
}
