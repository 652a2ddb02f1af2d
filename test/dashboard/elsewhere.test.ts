import { webcrypto } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import 'reflect-metadata'
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { callIdOf, codeOf, pay, startWorld } from '../pipeline/given.js'
import { Visitor, words } from './visitor.js'

/* The pages as a team runs them: over TLS, on a PostgreSQL that other nodes may share. */

if (postgresMissing !== null)
  process.stderr.write(`test/dashboard/elsewhere.test.ts: on SQLite instead. ${postgresMissing}\n`)

const dir = mkdtempSync(join(tmpdir(), 'spendgate-elsewhere-'))
const before = getGlobalDispatcher()
let postgres: PostgresServer | null = null
let world: World
let visitor: Visitor
let certificate: string
let key: IssuedKey
let refused: string
beforeAll(async () => {
  if (postgresMissing === null) postgres = await PostgresServer.start()
  certificate = await writeCertificate()
  setGlobalDispatcher(new Agent({ connect: { ca: certificate } }))
  world = await startWorld({
    ...(postgres === null ? {} : { DATABASE_URL: postgres.url(await postgres.database()) }),
    SPENDGATE_TLS_CERT: join(dir, 'cert.pem'),
    SPENDGATE_TLS_KEY: join(dir, 'key.pem'),
  })
  visitor = await new Visitor(world, certificate).signIn()
  key = await world.key({
    daily_cap_usd: '100.00',
    approval: { above_usd: '40.00' },
    vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '60.00' } },
  })
  for (const minor of [1_000, 250, 6_100]) await pay(world, key.key, minor, { 'x-agent-run-id': 'run_far' })
  const waits = await pay(world, key.key, 4_500, { 'x-agent-run-id': 'run_far' })
  expect(codeOf(waits)).toBe('approval_required')
  refused = waits.body.error.message
}, 60_000)
afterAll(async () => {
  await world?.close()
  await postgres?.remove()
  setGlobalDispatcher(before)
  rmSync(dir, { recursive: true, force: true })
})

/** A certificate for this machine alone, signed by itself. Its PEM; the files are where the server looks. */
async function writeCertificate(): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=spendgate test',
      notBefore: new Date(Date.UTC(2000, 0)),
      notAfter: new Date(Date.UTC(2100, 0)),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      keys,
      extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
    },
    webcrypto as Parameters<typeof X509CertificateGenerator.createSelfSigned>[1],
  )
  const secret = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  writeFileSync(join(dir, 'key.pem'), `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`)
  writeFileSync(join(dir, 'cert.pem'), made.toString('pem'))
  return made.toString('pem')
}

const SOON = { timeout: 10_000 }
const read = async (path: string): Promise<string> => words(await visitor.page(`/dashboard${path}`))

test('each screen is whole and has the ledger’s figures', async () => {
  await expect.poll(() => read(''), SOON).toContain('Maximum possible loss right now $87.50')
  expect(await read('')).toContain('Spent today $12.50 4 calls since 00:00 UTC')
  expect(await read('')).toContain('Denied today 2')
  expect(await read('')).toContain('Waiting for approval 1')
  expect(await read('')).toContain('12 % $12.50 of $100.00 a day (UTC)')
  expect(await read('/runs')).toMatch(/run_far agent-1 \$12\.50 – 4 2 /)
  expect(await read('/runs/run_far')).toMatch(/4 calls, newest first .* \$12\.50/)
  expect(await read('/calls?state=denied&vendor=stripe&run=run_far')).toMatch(/approval_required .* amount_over_limit/)
  const [call] = await world.calls('&state=settled')
  expect(await read(`/calls/${call.id}`)).toMatch(/Counted as spent \$2\.50 .* reserved \$2\.50 .* settled \$2\.50/)
  expect(await read('/approvals')).toContain('$45.00 stripe payment_intents.create')
  expect(await read('/keys')).toContain('policy-1@1 · $12.50 today')
  expect(await read(`/keys/${key.id}`)).toContain('$12.50 spent today in 4 calls, 2 of them denied')
  expect(await read('/policies')).toMatch(/policy-1 1 /)
  expect(await read('/policies/policy-1')).toContain('At most USD 100.00 a day (UTC).')
  expect(await read('/vendors')).toContain('stripe/stripe-main')
  expect(await read('/audit')).toMatch(/Entries \d+/)
})

test('the cookie and the links are of the secure origin, and nothing else opens', async () => {
  expect([...visitor.cookies.keys()]).toEqual([expect.stringMatching(/^__Host-spendgate_\d+$/)])
  const link = new URL(world.server.signInUrl())
  expect(link.origin).toBe(visitor.origin)
  expect(link.protocol).toBe('https:')
  const entered = await new Visitor(world, certificate).get(link.pathname + link.search)
  expect(entered.headers['set-cookie']).toEqual([
    expect.stringMatching(/^__Host-spendgate_\d+=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/),
  ])
  expect(refused).toContain(`${visitor.origin}/approvals/appr_`)
  // Without the s the listener speaks no HTTP at all.
  await expect(fetch(world.server.adminUrl.replace('https:', 'http:'))).rejects.toThrow()
})

test('an open page is told of a call, and forms do what they say', async () => {
  const stream = visitor.follow()
  expect(await stream.next()).toMatch(/^retry: /)
  const next = stream.next()
  const passed = await pay(world, key.key, 750, { 'x-agent-run-id': 'run_far' })
  expect(passed.status).toBe(200)
  expect(await next).toBe('event: change\ndata: {}\n\n')
  stream.close()
  await expect.poll(() => read(''), SOON).toContain('Spent today $20.00')
  expect(await read(`/calls/${callIdOf(passed)}`)).toContain('Counted as spent $7.50')

  const [waiting] = (await world.must('GET', '/approvals?state=open')).approvals
  expect(await visitor.does(`/dashboard/approvals/${waiting.id}`, { decision: 'approved' })).toMatch(/^Approved/)
  expect((await pay(world, key.key, 4_500, { 'x-agent-run-id': 'run_far' })).status).toBe(200)
  expect(await visitor.does('/dashboard/audit/verify')).toMatch(/^The book is sound/)
  expect(await visitor.does('/dashboard/vendors/reconcile')).toMatch(/^The vendors were asked about 0 calls\./)
  const back = `/dashboard/keys/${key.id}`
  expect(await visitor.does(`/dashboard/keys/${key.id}/revoke`, { back })).toMatch(/is revoked/)
  expect(codeOf(await pay(world, key.key, 100))).toBe('key_revoked')
})
