import type { Webhooks } from '../../src/contracts/records.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { movedIn } from './movements.js'
import { text } from './replies.js'

/** How old a signature may be, in seconds: Stripe's own default (docs.stripe.com/webhooks/signature, November 2026). */
const TOLERANCE_S = 300

/** Stripe's deliveries, signed with the secret of the endpoint that the operator made for them. */
export const webhooks: Webhooks = {
  part: 'webhook_secret',
  secretFault: (secret) =>
    /^whsec_[A-Za-z0-9+/=_-]{16,250}$/.test(secret)
      ? null
      : 'webhook_secret must be the signing secret of a Stripe webhook endpoint: whsec_….',
  async read(body, header, secrets, { rates, now }) {
    const signature = header('stripe-signature')
    if (signature === undefined) return null
    const { Stripe } = await import('stripe')
    for (const [signer, secret] of secrets.entries()) {
      let event: JsonObject
      try {
        const read = Stripe.webhooks.constructEvent(body, signature, secret, TOLERANCE_S, undefined, now())
        event = read as unknown as JsonObject
      } catch (fault) {
        // Not signed with this secret, or too long ago; or signed and no JSON, which Stripe never sends.
        if (fault instanceof Stripe.errors.StripeSignatureVerificationError || fault instanceof SyntaxError) continue
        throw fault
      }
      const id = text(event.id)
      if (id === null) return null
      return { signer, id, test: event.livemode !== true, moved: movedIn(event, rates) }
    }
    return null
  },
}
