import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LedgerFault, type CredentialRecord } from '../../src/contracts/ledger.js'
import { Vault } from '../../src/custody/seal.js'
import { Backends } from '../../src/secrets/backends.js'
import { Keeper } from '../../src/secrets/keeper.js'
import { parseReference, type Reference } from '../../src/secrets/reference.js'
import { sealedParts } from '../../src/secrets/referred.js'
import { ALL_PARTS, NO_BACKENDS, type ConfiguredCredential, type SecretSettings } from '../../src/secrets/settings.js'
import { configured as byConfiguration, vendors } from '../../vendors/index.js'

// The clock is moved, the backend is a file that is written, taken away and put back.

const KEYS = ['re_first_0123456789abc', 're_second_0123456789ab', 're_third_0123456789abc']
const SECOND = 1_000
const MINUTE = 60 * SECOND

let home: string
let path: string
let now: number
let records: Map<string, CredentialRecord>
let entries: [action: string, actor: string, last4: string][]
let told: string[]
let refuseWrites: boolean
let vault: Vault
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'spendgate-kept-'))
  path = join(home, 'resend')
  now = 0
  records = new Map()
  entries = []
  told = []
  refuseWrites = false
  vault = new Vault(Buffer.alloc(32, 7))
  put(KEYS[0]!)
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const put = (key: string): void => writeFileSync(path, key, { mode: 0o600 })
const reference = (): Reference => parseReference(`file:${path}`) as Reference

function keeperWith(settings: Partial<SecretSettings> = {}): Keeper {
  const clock = { now: () => now, monotonic: () => now }
  const all = { ...NO_BACKENDS, credentials: [configured()], ...settings }
  return new Keeper({
    ledger: {
      credential: (id) => records.get(id) ?? null,
      credentials: () => [...records.values()],
      putCredential: async (record, action, actor) => {
        if (refuseWrites) throw new LedgerFault('The disk is full.')
        records.set(record.id, record)
        entries.push([action, actor, record.last4])
      },
    },
    vault,
    backends: new Backends(all, clock, {}),
    settings: all,
    vendor: (name) => vendors.find((vendor) => vendor.name === name) ?? byConfiguration(name),
    addressFault: async (address) => (address.includes('10.0.0.1') ? `${address} is private.` : null),
    clock,
    log: (_, event) => told.push(event),
  })
}
const configured = (): ConfiguredCredential => ({
  vendor: 'resend',
  name: 'main',
  parts: {},
  references: { [ALL_PARTS]: reference() },
  wish: {},
  apiVersion: '',
})
const only = (): CredentialRecord => [...records.values()][0]!
const partsIn = (keeper: Keeper) =>
  keeper.partsOf(only(), vault.open({ id: only().id, vendor: 'resend' }, only().sealed))

test('a secret is asked for again when it is five minutes old, and the record follows', async () => {
  const keeper = keeperWith()
  await keeper.look()
  expect(entries).toEqual([['credential.added', 'configuration file', '9abc']])
  put(KEYS[1]!)
  now += 4 * MINUTE
  await keeper.look()
  expect(partsIn(keeper)).toEqual({ api_key: KEYS[0] })
  now += MINUTE
  await keeper.look()
  expect(partsIn(keeper)).toEqual({ api_key: KEYS[1] })
  expect(entries.at(-1)).toEqual(['credential.rotated', 'secret backend', '89ab'])
  expect(only().rotatedAt).toBe(5 * MINUTE)
})

test('while the backend is away the last value counts for an hour and no longer', async () => {
  const keeper = keeperWith()
  await keeper.look()
  rmSync(path)
  for (; now < 60 * MINUTE; now += 5 * SECOND) await keeper.look()
  expect(keeper.has(only())).toBe(true)
  now += SECOND
  expect(keeper.has(only())).toBe(false)
  // Nor for those who open it without asking first: operators' acts, reconciliation.
  now += MINUTE
  expect(() => partsIn(keeper)).toThrow(/too old to be used/)
  expect(told).toEqual(['secret_unavailable'])
  put(KEYS[1]!)
  now += 5 * MINUTE
  await keeper.look()
  expect(keeper.has(only())).toBe(true)
  expect(told).toEqual(['secret_unavailable', 'secret_available'])
})

test('a backend that fails is asked again later each time, up to the refresh interval', async () => {
  const keeper = keeperWith()
  await keeper.look()
  rmSync(path)
  const asked: number[] = []
  const refresh = keeper.refresh.bind(keeper)
  keeper.refresh = (record, actor) => {
    asked.push(now / SECOND)
    return refresh(record, actor)
  }
  for (now = 5 * MINUTE; now < 17 * MINUTE; now += SECOND) await keeper.look()
  expect(asked.map((at) => at - asked[0]!)).toEqual([0, 5, 15, 35, 75, 155, 315, 615])
})

test('a first secret that cannot be had keeps nobody waiting, and is entered when it comes', async () => {
  rmSync(path)
  const keeper = keeperWith()
  await keeper.look()
  expect(records.size).toBe(0)
  put(KEYS[0]!)
  now += 5 * SECOND
  await keeper.look()
  expect(only()).toMatchObject({ vendor: 'resend', name: 'main', last4: '9abc', test: false })
  const again = keeperWith()
  expect(again.has(only())).toBe(false)
  await again.look()
  expect(again.has(only())).toBe(true)
  expect(entries).toHaveLength(1)
})

test('two nodes with one file enter one credential, and each takes up what the other has found', async () => {
  const [one, other] = [keeperWith(), keeperWith()]
  await one.look()
  const before = only().id
  await other.look()
  records.clear()
  await Promise.all([one.look(), other.look()])
  expect([...records.keys()]).toEqual([before])
  put(KEYS[1]!)
  await one.refresh(only(), 'admin')
  await other.look()
  expect(partsIn(other)).toEqual({ api_key: KEYS[1] })
  expect(entries.at(-1)).toEqual(['credential.rotated', 'admin', '89ab'])
})

test('a value that the ledger could not note is used, and noted at the next look', async () => {
  const keeper = keeperWith()
  await keeper.look()
  put(KEYS[1]!)
  refuseWrites = true
  await keeper.refresh(only(), 'admin')
  expect(partsIn(keeper)).toEqual({ api_key: KEYS[1] })
  expect(only().last4).toBe('9abc')
  refuseWrites = false
  await keeper.look()
  expect(only().last4).toBe('89ab')
})

test('a credential that left the configuration file keeps its secret as long as any, and says why there is no newer', async () => {
  const keeper = keeperWith()
  await keeper.look()
  const without = keeperWith({ credentials: [] })
  await without.look()
  expect(without.has(only())).toBe(false)
  await expect(without.refresh(only(), 'admin')).rejects.toThrow(
    /stood in the configuration file, under credentials: resend\/main\. It is not there any more/,
  )
})

test('a name that was stored through the API is not taken over by the file', async () => {
  const id = 'cred_ofTheApi'
  const sealed = vault.seal({ id, vendor: 'resend' }, { api_key: KEYS[2]! })
  const facts = { account: '', test: false, last4: '9abc', fingerprint: 'f', apiVersion: '' }
  const record = { id, vendor: 'resend', name: 'main', ...facts, sealed, createdAt: 0, rotatedAt: null }
  records.set(id, record)
  const keeper = keeperWith()
  await keeper.look()
  expect([...records.values()]).toEqual([record])
  expect(told).toEqual(['secret_unavailable'])
  expect(keeper.has(record)).toBe(true)
})

test('what the operator does not allow any more is not fetched, although it is stored', async () => {
  const id = 'cred_byReference'
  const references = { [ALL_PARTS]: parseReference('op://Agents/resend/api_key') as Reference }
  const sealed = vault.seal({ id, vendor: 'resend' }, sealedParts({ plain: {}, references }))
  const facts = { account: '', test: false, last4: '9abc', fingerprint: 'f', apiVersion: '' }
  records.set(id, { id, vendor: 'resend', name: 'other', ...facts, sealed, createdAt: 0, rotatedAt: null })
  const keeper = keeperWith({ credentials: [], op: true, allow: ['op://Others/*'] })
  await expect(keeper.refresh(only(), 'admin')).rejects.toThrow(/is not among what this server may refer to/)
})

test('a reference that takes the place of another leaves no call without either', async () => {
  const keeper = keeperWith()
  await keeper.look()
  const before = only()
  const sealed = vault.seal({ id: before.id, vendor: 'resend' }, sealedParts({ plain: {}, references: null }))
  const after = { ...before, sealed }
  keeper.keep(after, { api_key: KEYS[1]! })
  expect(keeper.has(before)).toBe(true)
  expect(keeper.has(after)).toBe(true)
  records.set(before.id, after)
  await keeper.look()
  expect(keeper.has(before)).toBe(true)
  now += 61 * SECOND
  await keeper.look()
  expect(keeper.has(before)).toBe(false)
  expect(keeper.has(after)).toBe(true)
})

test('a vendor by configuration is bound to the address that the file first gave', async () => {
  put('acme_0123456789abcdef')
  const acme = (base_url: string): ConfiguredCredential => ({
    ...configured(),
    vendor: 'acme',
    wish: { base_url, auth: { scheme: 'bearer' } },
  })
  const keeper = keeperWith({ credentials: [acme('https://api.acme.example')] })
  await keeper.look()
  const sealed = vault.open({ id: only().id, vendor: 'acme' }, only().sealed)
  expect(JSON.stringify(sealed)).toContain('https://api.acme.example')
  expect(JSON.stringify(sealed)).not.toContain('acme_0123456789abcdef')
  expect(Object.values(keeper.partsOf(only(), sealed)!)).toContain('acme_0123456789abcdef')
  const moved = keeperWith({ credentials: [acme('https://evil.example')] })
  await expect(moved.refresh(only(), 'admin')).rejects.toThrow(/has another base_url, auth or headers for acme\/main/)
  records.clear()
  await keeperWith({ credentials: [acme('https://10.0.0.1')] }).look()
  await keeperWith({ credentials: [{ ...configured(), wish: { base_url: 'https://evil.example' } }] }).look()
  expect(records.size).toBe(0)
})
