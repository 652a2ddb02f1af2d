import { describe, expect, test } from 'vitest'
import { driftOf, listedOperations } from '../../scripts/vendors-drift.mjs'
import { sdkOperations, sdkVersion, type SdkName } from '../../scripts/vendor-operations.mjs'
import { Catalogue } from '../../src/catalogue.js'
import { vendors } from '../../vendors/index.js'

const sdk = sdkOperations()
const names = vendors.map(({ name }) => name as SdkName)
const knownTo = (name: SdkName) => {
  const catalogue = new Catalogue(vendors.find((vendor) => vendor.name === name)!)
  return (method: string, path: string) => catalogue.match(method, path)
}

describe.each(names)('%s', (name) => {
  const operations = [...sdk[name], ...listedOperations(name)]

  test('can do nothing the catalogue does not know', () => {
    expect(driftOf(operations, knownTo(name))).toEqual([])
  })

  test('is noticed when it can do something new, and nothing else is', () => {
    const invented = { method: 'POST', path: '/v9/inventions/{id}/spend' }
    const before = driftOf(operations, knownTo(name))
    const after = driftOf([...operations, invented, invented], knownTo(name))
    expect(after.filter((each) => !before.includes(each))).toEqual(['POST /v9/inventions/{id}/spend'])
  })
})

describe('the SDKs', () => {
  test('are read whole', () => {
    // Fewer than these, of the versions the lists were made with, would mean that some were overlooked.
    expect(sdk.stripe.length).toBeGreaterThanOrEqual(650)
    expect(sdk.twilio.length).toBeGreaterThanOrEqual(1564)
    expect(sdk.resend.length).toBeGreaterThanOrEqual(142)
    for (const name of names) expect(sdkVersion(name)).toMatch(/^\d+\.\d+\.\d+$/)
  })

  test.each<[SdkName, string, string]>([
    ['stripe', 'POST', '/v1/refunds'],
    ['stripe', 'POST', '/v2/core/accounts'],
    ['twilio', 'POST', '/2010-04-01/Accounts/{accountSid}/Messages.json'],
    ['twilio', 'POST', 'verify.twilio.com/v2/Services/{serviceSid}/Verifications'],
    ['resend', 'GET', '/emails'],
    ['resend', 'GET', '/usage'],
    ['resend', 'GET', '/templates'],
    ['resend', 'PATCH', '/contacts/{id}'],
    ['resend', 'GET', '/broadcasts/{id}/recipients'],
    ['resend', 'POST', '/inboxes/{idOrEmail}/threads/{threadId}/emails/{emailId}/forward'],
  ])('%s can %s %s', (name, method, path) => {
    expect(sdk[name]).toContainEqual({ method, path })
  })

  test('give paths without remains of code', () => {
    for (const name of names)
      for (const { path } of sdk[name]) expect(path).toMatch(/^(?:[a-z0-9.-]+)?\/(?:[A-Za-z0-9_.-]|\{\w+\}|\/)*$/)
  })
})

test('one placeholder’s name is as good as another, a word in its place is not', () => {
  const match = knownTo('resend')
  expect(driftOf([{ method: 'GET', path: '/emails/{any}' }], match)).toEqual([])
  expect(driftOf([{ method: 'GET', path: '/emails/new' }], match)).toEqual(['GET /emails/new'])
  expect(driftOf([{ method: 'PUT', path: '/emails/{any}' }], match)).toEqual(['PUT /emails/{any}'])
})
