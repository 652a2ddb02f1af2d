import { describe, expect, test } from 'vitest'
import { destinationOf, isE164 } from '../../vendors/twilio/phone.js'

describe('E.164', () => {
  test.each([
    '4155550100',
    '+1 (876) 555-0100',
    'tel:+14155550100',
    'whatsapp:+14155550100',
    '+14155550100;ext=9',
    '+14155550100,,123#',
    '+１４１５５５５０１００',
    '+04155550100',
    '+1',
    '+1234567890123456',
    '+14155550100\n',
    ' +14155550100',
    '+1415555010０',
  ])('%j is not', (text) => {
    expect(isE164(text)).toBe(false)
  })

  test.each(['+14155550100', '+8821300655', '+4915112345678'])('%s is', (text) => {
    expect(isE164(text)).toBe(true)
  })
})

describe('a destination', () => {
  test.each([
    ['+14155550100', 'US'],
    ['+14165550100', 'CA'],
    ['+18682912345', 'TT'],
    ['+18765550100', 'JM'],
    ['+12684641234', 'AG'],
    ['+17875550100', 'PR'],
    ['+9779841234567', 'NP'],
    ['+77011234567', 'KZ'],
    ['+79161234567', 'RU'],
    ['+447400123456', 'GB'],
    ['+447911123456', 'GG'],
  ])('%s belongs to %s', (number, country) => {
    expect(destinationOf(number)).toEqual({ country })
  })

  test.each([
    ['+19005550100', 'premium rate'],
    ['+15005550006', 'personal number'],
    ['+881612345678', 'no single country'],
    ['+88213300655', 'no single country'],
    ['+870772001234', 'no single country'],
    ['+80012345678', 'no single country'],
    ['+3725551234', 'no assigned range'],
    ['+18685550100', 'no assigned range'],
    ['+19995550100', 'no single country'],
  ])('%s has no price: %s', (number, why) => {
    expect(destinationOf(number)).toEqual({ why: expect.stringContaining(why) })
  })
})
