import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { PriceTable } from '../../src/contracts/vendor.js'
import { bill, minutePrice, smsPrice } from '../../vendors/twilio/pricing.js'
import { pricesOf } from './twilio-ask.js'

// Prefixes that hide one another: every country has a price of its own, so a wrong row shows as a wrong number.
const table: PriceTable = {
  as_of: '2026-11-20',
  max_age_days: 90,
  safety: '1',
  prefixes: {
    sms: {
      '+1': { iso: 'US,CA', seg: '0.01' },
      '+1868': { iso: 'TT', seg: '0.30' },
      '+1809': { iso: 'DO', seg: '0.40' },
      '+7': { iso: 'RU', seg: '0.50' },
      '+77': { iso: 'KZ', seg: '0.60' },
      '+44': { iso: 'GB', seg: '0.05' },
      '+447911': { iso: 'GG', seg: '0.70' },
      '+88': { iso: 'US', seg: '0.01' },
    },
    voice: {
      '+1': { iso: 'US', min: '0.01' },
      '+1907': { iso: 'US', min: '0.09' },
      '+1876': { iso: 'JM', min: '0.31' },
      '+44': { iso: 'GB', min: '0.02' },
      '+447': { iso: 'GB', min: '0.06' },
      '+7': { iso: 'RU', min: '0.50' },
      '+88': { iso: 'US', min: '0.01' },
    },
  },
  flat: {},
}
const prices = pricesOf(table)

const decided = (section: 'sms' | 'voice', number: string): string => {
  const price = section === 'sms' ? smsPrice(prices, number) : minutePrice(prices, number)
  const quote = bill(prices, 'ceiling', [{ units: 1n, price }])
  return quote.basis === 'ceiling' ? formatUsd(quote.amount) : 'refused'
}

describe('a prefix never prices what lies behind it', () => {
  test.each<['sms' | 'voice', string, string, string]>([
    ['sms', '+14155550100', 'the United States', '0.01'],
    ['sms', '+14165550100', 'Canada, named by the same row', '0.01'],
    ['sms', '+18682912345', 'Trinidad, by its own row', '0.30'],
    ['sms', '+18095550100', 'the Dominican Republic, by its own row', '0.40'],
    ['sms', '+18295550100', 'the Dominican Republic, behind +1', 'refused'],
    ['sms', '+18765550100', 'Jamaica, behind +1', 'refused'],
    ['sms', '+12684641234', 'Antigua, behind +1', 'refused'],
    ['sms', '+17875550100', 'Puerto Rico, behind +1', 'refused'],
    ['sms', '+16712345678', 'Guam, behind +1', 'refused'],
    ['sms', '+19005550100', 'premium rate, behind +1', 'refused'],
    ['sms', '+15005550006', 'a personal number, behind +1', 'refused'],
    ['sms', '+19995550100', 'nobody’s range, behind +1', 'refused'],
    ['sms', '+79161234567', 'Russia', '0.50'],
    ['sms', '+77011234567', 'Kazakhstan, by the longer row', '0.60'],
    ['sms', '+442071838750', 'Great Britain', '0.05'],
    ['sms', '+447400123456', 'a mobile there', '0.05'],
    ['sms', '+447911123456', 'Guernsey, by its own row', '0.70'],
    ['sms', '+447781123456', 'Guernsey, behind +44', 'refused'],
    ['sms', '+447624123456', 'Man, behind +44', 'refused'],
    ['sms', '+447012345678', 'a personal number, behind +44', 'refused'],
    ['sms', '+449012345678', 'premium rate, behind +44', 'refused'],
    ['sms', '+881612345678', 'satellite, behind +88', 'refused'],
    ['sms', '+88213300655', 'a global network, behind +88', 'refused'],
    ['sms', '+4915112345678', 'Germany, without a row', 'refused'],
    ['voice', '+14155550100', 'the United States', '0.01'],
    ['voice', '+19075550100', 'Alaska, by the longer row', '0.09'],
    ['voice', '+14165550100', 'Canada, not named by +1', 'refused'],
    ['voice', '+18765550100', 'Jamaica, by its own row', '0.31'],
    ['voice', '+18682912345', 'Trinidad, behind +1', 'refused'],
    ['voice', '+18005550100', 'toll-free in the United States', '0.01'],
    ['voice', '+442071838750', 'Great Britain, a landline', '0.02'],
    ['voice', '+447400123456', 'Great Britain, a mobile by the longer row', '0.06'],
    ['voice', '+447911123456', 'Guernsey, behind +447', 'refused'],
    ['voice', '+448431234567', 'shared cost, behind +44', 'refused'],
    ['voice', '+77011234567', 'Kazakhstan, behind +7', 'refused'],
    ['voice', '+881612345678', 'satellite, behind +88', 'refused'],
  ])('%s to %s: %s costs %s', (section, number, _whose, expected) => {
    expect(decided(section, number)).toBe(expected)
  })
})
