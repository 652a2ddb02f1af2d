/** Refusals that come before the rate rule (contract §6): such a call was not counted against the rate. */
export const BEFORE_RATE: ReadonlySet<string> = new Set([
  'key_revoked',
  'key_expired',
  'key_frozen',
  'vendor_not_granted',
  'request_malformed',
  'request_ambiguous',
  'operation_unknown',
  'operation_not_allowed',
  'effect_not_permitted',
  'rate_limited',
  'body_too_large',
])
