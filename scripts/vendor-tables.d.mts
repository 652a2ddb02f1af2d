import type { Vendor } from '../src/contracts/vendor.js'

export function vendorPage(vendor: Vendor): string
