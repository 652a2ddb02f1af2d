import type { Vendor } from '../src/contracts/vendor.js'
import { resend } from './resend/index.js'
import { stripe } from './stripe/index.js'
import { twilio } from './twilio/index.js'

/** Every vendor there is. The first gives its shape to refusals whose vendor is not known. */
export const vendors: readonly Vendor[] = [stripe, twilio, resend]
