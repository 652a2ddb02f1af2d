import { describe, test } from 'vitest'
import { onStage, stripe, twilio } from './stage.js'

const stage = onStage()

/** Rack reads all of these as `amount` or as a key inside it; most other parsers see a name nobody knows. */
describe('brackets that do not balance are malformed', () => {
  test.each([
    'amount=1&amount]=100000',
    'amount=1&]amount=100000',
    'amount=1&[amount]=100000',
    'amount=1&[[amount=100000',
    'amount=1&amount[=100000',
    'amount=1&amount%5D=100000',
    'metadata[a]=1&metadata[a=900',
    'metadata[a]b=1',
    'metadata[a[b]]=1',
    'metadata[a]]=1',
    'metadata[[a]=1',
    '[]=1',
    '=1',
  ])('%s', async (body) => {
    await stage.refuses(stripe('/v1/refunds', `charge=ch_A&${body}`), 'request_malformed')
  })
})

describe('one name in two shapes is ambiguous', () => {
  test.each([
    ['a value, then a map', 'amount=1&amount[x]=100000'],
    ['a map, then a value', 'amount[x]=1&amount=100000'],
    ['an inner map, then a value', 'metadata[b][c]=1&metadata[b]=2'],
    ['an inner value, then a map', 'metadata[b]=1&metadata[b][c]=2'],
    ['a list, then a map', 'expand[0]=charge&expand[a]=b'],
    ['numbered and unnumbered', 'expand[]=charge&expand[0]=payment_intent'],
    ['a value, then a list', 'expand=charge&expand[]=payment_intent'],
    ['maps in an unnumbered list', 'expand[][a]=1&expand[][b]=2&expand[][a]=3'],
    ['lists in an unnumbered list', 'expand[][]=1'],
  ])('%s', async (_, body) => {
    await stage.refuses(stripe('/v1/refunds', `charge=ch_A&${body}`), 'request_ambiguous')
  })
})

describe('a list or map where one value belongs is malformed', () => {
  test.each(['amount[0]=5', 'amount[]=5', 'amount[value]=5', 'charge[id]=ch_B&amount=5', 'expand[01]=charge'])(
    '%s',
    async (body) => {
      await stage.refuses(stripe('/v1/refunds', body), 'request_malformed')
    },
  )

  test('and Twilio has no brackets at all', async () => {
    const body = 'To=%2B14155550101&From=%2B14155550100&Body=hi&MediaUrl[0]=https%3A%2F%2Fevil.example%2F'
    await stage.refuses(twilio(stage, '/Messages.json', body), 'request_malformed')
  })
})

describe('names that JavaScript gives a meaning are malformed', () => {
  test.each([
    '__proto__=1',
    '__proto__[amount]=1',
    'metadata[__proto__]=1',
    'metadata[__proto__][amount]=1',
    'constructor[prototype][amount]=1',
    'metadata[constructor]=1',
    'prototype=1',
    '%5F%5Fproto__=1',
  ])('%s', async (body) => {
    await stage.refuses(stripe('/v1/refunds', `charge=ch_A&${body}`), 'request_malformed')
  })
})

describe('nesting has an end', () => {
  test.each([
    ['nine levels', 'metadata[a][b][c][d][e][f][g][h]=1'],
    ['a hundred levels', `metadata${'[a]'.repeat(100)}=1`],
    ['a segment of 101 characters', `metadata[${'a'.repeat(101)}]=1`],
    ['an index of five digits', 'expand[10000]=charge'],
  ])('%s', async (_, body) => {
    await stage.refuses(stripe('/v1/refunds', `charge=ch_A&${body}`), 'request_malformed')
  })
})
