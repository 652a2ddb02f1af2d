import type { PriceTable } from '../../src/contracts/vendor.js'

/**
 * The price table a fresh installation starts with. Few rows on purpose: a destination that is not listed is refused,
 * never guessed. `sms` and `voice` rows hold USD and, in `iso`, the countries the prefix stands for.
 *
 * | key | meaning |
 * |---|---|
 * | `seg` | one outbound SMS part, the dearest carrier and sender type |
 * | `carrier` | carrier fee a part, where carriers charge one beside `seg` |
 * | `mms` | one outbound MMS; absent where there is none |
 * | `min` | one outbound voice minute, the dearest origin |
 *
 * `flat` prices are for one of what they name; `number.<country>.<kind>` and `a2p.campaign` for a month of it.
 */
export const prices: PriceTable = {
  as_of: '2026-11-20',
  max_age_days: 90,
  safety: '1.15',
  source: 'static, secondary sources; check against your account',
  prefixes: {
    sms: {
      '+1': { iso: 'US,CA', seg: '0.0083', carrier: '0.0062', mms: '0.0220' },
      '+1868': { iso: 'TT', seg: '0.2992', carrier: '0' },
      '+977': { iso: 'NP', seg: '0.3022', carrier: '0' },
    },
    voice: {
      '+1': { iso: 'US', min: '0.014' },
      '+1907': { iso: 'US', min: '0.090' },
    },
  },
  flat: {
    'a2p.brand': '4.50',
    'a2p.campaign': '10.00',
    'a2p.campaign_vetting': '15.00',
    'a2p.vetting': '41.50',
    'lookup.caller_name': '0.01',
    'lookup.identity_match': '0.10',
    'lookup.line_type_intelligence': '0.008',
    'lookup.sms_pumping_risk': '0.025',
    'lookup.validation': '0',
    'message.shorten_urls': '0.015',
    'number.US.local': '1.15',
    'number.US.short_code': '1000.00',
    'number.US.toll_free': '2.15',
    'verify.approved': '0.05',
  },
}
