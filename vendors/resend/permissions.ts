import type { KeyNeeds, Operation } from '../../src/contracts/vendor.js'

/** Two kinds of keys: resend.com/docs/api-reference/api-keys/create-api-key, November 2026. */
export function leastKey(operations: readonly Operation[]): KeyNeeds {
  const source = 'resend.com/docs/api-reference/api-keys/create-api-key, 2026-11'
  const others = operations.filter(({ routes: [route] }) => route !== 'POST /emails' && route !== 'POST /emails/batch')
  return others.length === 0
    ? { kind: 'key with sending_access, for one domain', permissions: ['sending_access'], unknown: [], source }
    : { kind: 'key with full_access', permissions: ['full_access'], unknown: [], source }
}
