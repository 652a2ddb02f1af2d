import type { Vendor } from '../src/contracts/vendor.js'
import { http } from './http/index.js'
import { resend } from './resend/index.js'
import { stripe } from './stripe/index.js'
import { twilio } from './twilio/index.js'
import { syncPrices } from './twilio/price-sync.js'

/** Every vendor there is. The first gives its shape to refusals whose vendor is not known. */
export const vendors: readonly Vendor[] = [stripe, twilio, resend]

/** Vendors whose own price lists can be read. */
export const priceSyncs = { twilio: syncPrices }

/** Makes a vendor of any HTTP API, under a name of the operator's choice. */
export const configured: (name: string) => Vendor = http
