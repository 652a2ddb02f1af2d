/** Where the facts of catalogue entries come from, and when they were read (see `Operation.source`). */
export const SDK = 'stripe-node 23.1.0 (API 2026-10-28.endive), 2026-11-20'
export const SPEC_2022 = "Stripe's public specification of 2022, which may answer no more; read 2026-11-20"
export const PREVIEW_SDK = 'stripe-node 22.7.0-beta.1 and the Stripe CLI, 2026-11-20'
export const CLI = 'the Stripe CLI, 2026-11-20; documented nowhere'

/**
 * The API version the catalogue and its prices were written for (that of stripe-node 23.1.0). Sent with every call
 * that pins none: another version has other defaults, such as taking up pending items on a new invoice.
 */
export const API_VERSION = '2026-10-28.endive'
