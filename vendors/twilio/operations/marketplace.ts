import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

const table = tables({ v1: ['marketplace.twilio.com/v1'], preview: ['preview.twilio.com/marketplace'] })

const released = product({ source: SOURCE }, [
  ...table({
    effect: 'future_spend',
    reveals: ['configuration'],
    ...unknownCost(
      'An add-on is billed by its publisher for every use from then on, at prices that stand in its listing only.',
      'AcceptTermsOfService AvailableAddOnSid Configuration Enabled UniqueName',
    ),
  })(`
    marketplace.installed_add_ons.create POST v1/InstalledAddOns
    marketplace.installed_add_ons.extensions.update POST v1/InstalledAddOns/{InstalledAddOnSid}/Extensions/{Sid}
    marketplace.installed_add_ons.update POST v1/InstalledAddOns/{Sid}
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(
      'It bills whoever installed the add-on, at prices that stand in its listing only.',
      'total_submitted billable_items',
    ),
    body: 'json',
  })(`
    marketplace.installed_add_ons.usage.create POST v1/InstalledAddOns/{InstalledAddOnSid}/Usage
  `),
  ...table({ effect: 'destructive', why: 'What relied on the add-on stops working.' })(`
    marketplace.installed_add_ons.delete DELETE v1/InstalledAddOns/{Sid}
  `),
  ...table({ effect: 'write', why: 'Tells Twilio of a sale that was made elsewhere.', body: 'json' })(`
    marketplace.referral_conversion.create POST v1/ReferralConversion
  `),
  ...table({ effect: 'write', why: 'What the publisher says of the add-on; whoever installs it pays.' })(`
    marketplace.listing.update POST v1/Listing/{Sid}
    marketplace.listings.create POST v1/Listings
  `),
  ...table({
    effect: 'read',
    reveals: ['configuration'],
    why: 'The configuration is taken out: it may hold the keys of another service.',
    weaker: 'The configuration, which may hold keys, is taken out of the reply.',
  })(`
    marketplace.installed_add_ons.list GET v1/InstalledAddOns
    marketplace.installed_add_ons.get GET v1/InstalledAddOns/{Sid}
  `),
  ...table({ effect: 'read' })(`
    marketplace.available_add_ons.list GET v1/AvailableAddOns
    marketplace.available_add_ons.extensions.list GET v1/AvailableAddOns/{AvailableAddOnSid}/Extensions
    marketplace.available_add_ons.extensions.get GET v1/AvailableAddOns/{AvailableAddOnSid}/Extensions/{Sid}
    marketplace.available_add_ons.get GET v1/AvailableAddOns/{Sid}
    marketplace.installed_add_ons.extensions.list GET v1/InstalledAddOns/{InstalledAddOnSid}/Extensions
    marketplace.installed_add_ons.extensions.get GET v1/InstalledAddOns/{InstalledAddOnSid}/Extensions/{Sid}
    marketplace.listing.get GET v1/Listing/{Sid}
    marketplace.listings.list GET v1/Listings
  `),
])

const preview = product({ source: SOURCE, preview: true }, [
  ...table({
    effect: 'future_spend',
    reveals: ['configuration'],
    ...unknownCost(
      'An add-on is billed by its publisher for every use from then on, at prices that stand in its listing only.',
      'AcceptTermsOfService AvailableAddOnSid Configuration Enabled UniqueName',
    ),
  })(`
    preview.marketplace.installed_add_ons.create POST preview/InstalledAddOns
    preview.marketplace.installed_add_ons.extensions.update POST preview/InstalledAddOns/{InstalledAddOnSid}/Extensions/{Sid}
    preview.marketplace.installed_add_ons.update POST preview/InstalledAddOns/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'What relied on the add-on stops working.' })(`
    preview.marketplace.installed_add_ons.delete DELETE preview/InstalledAddOns/{Sid}
  `),
  ...table({
    effect: 'read',
    reveals: ['configuration'],
    why: 'The configuration is taken out: it may hold the keys of another service.',
  })(`
    preview.marketplace.installed_add_ons.list GET preview/InstalledAddOns
    preview.marketplace.installed_add_ons.get GET preview/InstalledAddOns/{Sid}
  `),
  ...table({ effect: 'read' })(`
    preview.marketplace.available_add_ons.list GET preview/AvailableAddOns
    preview.marketplace.available_add_ons.extensions.list GET preview/AvailableAddOns/{AvailableAddOnSid}/Extensions
    preview.marketplace.available_add_ons.extensions.get GET preview/AvailableAddOns/{AvailableAddOnSid}/Extensions/{Sid}
    preview.marketplace.available_add_ons.get GET preview/AvailableAddOns/{Sid}
    preview.marketplace.installed_add_ons.extensions.list GET preview/InstalledAddOns/{InstalledAddOnSid}/Extensions
    preview.marketplace.installed_add_ons.extensions.get GET preview/InstalledAddOns/{InstalledAddOnSid}/Extensions/{Sid}
  `),
])

/** Add-ons, and their preview. */
export const marketplace: readonly Operation[] = [...released, ...preview]
