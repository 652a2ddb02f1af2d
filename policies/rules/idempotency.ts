import type { SpokenRule } from './rule.js'

/** An idempotency key stands for one request. Under another one the vendor would answer with the first one's result. */
export const idempotency: SpokenRule = {
  name: 'idempotency',
  unwaivable: true,
  check: (_call, { earlier }) =>
    earlier !== null && !earlier.sameRequest
      ? {
          code: 'idempotency_mismatch',
          message:
            `This idempotency key was used by ${earlier.callId} for another request. ` +
            'Use a new key for a new request. Do not retry.',
        }
      : null,
}
