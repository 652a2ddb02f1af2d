import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import type { DenialCode } from '../../src/contracts/call.js'
import type { IssuedKey } from '../helpers/world.js'
import { basic, expectShape, onStage, readReply, type Reply, type VendorName } from './stage.js'

// Requests whose harm does not show in a field called amount, one a file: why a careless proxy misses it, what
// we answer, under which policy, and the bytes. Requests before the last one, parted by ###, prepare it and pass.

const FOLDER = new URL('./requests/', import.meta.url)
const stage = onStage()

const ALL = ['future_spend', 'credential', 'routing', 'destructive', 'preview']
const everything = { endpoints: { allow: ['* *'] } }

interface Preset {
  readonly daily_cap_usd: string
  readonly stripe: object
  readonly twilio: object
  readonly resend: object
}

const listsOf = {
  stripe: { customers: ['cus_A'], max_amount_usd: '50.00' },
  twilio: { recipients: ['+1415*'], senders: ['+14155550100'], max_amount_usd: '0.30' },
  resend: { recipients: ['*@acme.com'], senders: ['billing@acme.com'], max_amount_usd: '0.50' },
}

/** One block a vendor, made alike. */
const preset = (daily_cap_usd: string, block: (vendor: VendorName) => object): Preset => ({
  daily_cap_usd,
  stripe: { ...everything, ...block('stripe') },
  twilio: { ...everything, ...block('twilio') },
  resend: { ...everything, ...block('resend') },
})

/** Policies that a file names. */
const POLICIES: Readonly<Record<string, Preset>> = {
  wildcard: preset('1000.00', () => ({ permit: [] })),
  permits: preset('1000.00', () => ({ permit: ALL })),
  /** What an operator would give an agent who may do nearly everything for one customer, a few numbers, one domain. */
  careful: preset('200.00', (vendor) => ({ permit: [], ...listsOf[vendor] })),
  'careful-permits': preset('200.00', (vendor) => ({ permit: ALL, ...listsOf[vendor] })),
  'permits-cus-b': preset('200.00', () => ({ permit: ALL, customers: ['cus_B'] })),
  small: preset('200.00', () => ({ permit: ALL, callback_hosts: ['ok.example'], max_amount_usd: '5.00' })),
  'to-the-office': preset('200.00', (vendor) => ({
    permit: ALL,
    callback_hosts: ['ok.example'],
    max_amount_usd: '5.00',
    recipients: [vendor === 'twilio' ? '+14155550199' : 'office@acme.com'],
  })),
}

interface Attack {
  readonly file: string
  readonly vendor: VendorName
  readonly status: number
  readonly code: DenialCode
  readonly policy: string
  /** Raw requests with placeholders, in order. */
  readonly requests: readonly string[]
}

function read(file: string): Attack {
  const lines = readFileSync(new URL(file, FOLDER), 'utf8').replace(/\n$/, '').split('\n')
  const from = lines.findIndex((line) => !line.startsWith('#'))
  const comments = lines.slice(0, from).map((line) => line.slice(2))
  const said = (name: string): string | undefined =>
    comments.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  const [status, code] = said('expect')!.split(' ')
  const why = comments.filter((line) => !/^(expect|policy): /.test(line)).join(' ')
  expect(why, `${file} says why`).toMatch(/^.{20,}[.?]$/)
  return {
    file,
    vendor: file.split('-')[0] as VendorName,
    status: Number(status),
    code: code as DenialCode,
    policy: said('policy') ?? 'wildcard',
    requests: lines.slice(from).join('\n').split('\n###\n'),
  }
}

const attacks = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.http'))
  .map(read)

/** Objects that requests name: those of the listed customer are too large for one call. */
beforeAll(() => {
  const { stripe: vendor } = stage.world
  vendor.addIntent({ id: 'pi_large', customer: 'cus_A', amount: 999_900 })
  const invoice = structuredClone(vendor.state.invoices.get('in_A')!)
  const large = { amount_due: 999_900, amount_remaining: 999_900, subtotal: 999_900, total: 999_900 }
  vendor.state.invoices.set('in_large', { ...invoice, ...large, id: 'in_large' })
  // A segment that somebody else got into.
  const segment = 'api.resend.com/segments/0d2f4c1e-51b4-4b9e-8a7b-6a1f5c3e9d10/contacts'
  for (const email of ['ann@acme.com', 'x@evil.com'])
    stage.world.resend.state.things.set(`${segment}/${email}`, { id: email, email, unsubscribed: false })
})

/** The bytes as sent: `{{key}}`, `{{basic}}`, `{{account}}` and `{{length}}` filled in, `{{3*x}}` written out. */
function bytes(request: string, vendor: VendorName, key: IssuedKey): string {
  const cut = request.indexOf('\n\n')
  const [head, body] = cut < 0 ? [request, ''] : [request.slice(0, cut), request.slice(cut + 2)]
  const { stripe, twilio, resend } = key.presentations
  const values: Record<string, string> = {
    key: vendor === 'stripe' ? stripe![0]! : (resend ?? ''),
    basic: twilio ? basic(twilio.api_key_sid, twilio.api_key_secret).slice('Basic '.length) : '',
    account: twilio?.account_sid ?? '',
  }
  const filled = (text: string): string =>
    text
      .replace(/\{\{(\d+)\*(.*?)\}\}/g, (_, times: string, what: string) => what.repeat(Number(times)))
      .replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole)
  const sent = Buffer.from(filled(body), 'utf8').toString('latin1')
  const lines = filled(head).replace('{{length}}', String(sent.length)).replaceAll('\n', '\r\n')
  return `${Buffer.from(lines, 'utf8').toString('latin1')}\r\n\r\n${sent}`
}

test('every one of the numbered requests has its file, and there are others', () => {
  const numbered = (vendors: readonly string[]): Set<number> =>
    new Set(attacks.filter(({ vendor }) => vendors.includes(vendor)).map(({ file }) => Number(file.split('-')[1])))
  const first = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
  expect([...numbered(['stripe'])]).toEqual(expect.arrayContaining(first(27)))
  expect([...numbered(['twilio', 'resend'])]).toEqual(expect.arrayContaining(first(25)))
  expect(attacks.length).toBeGreaterThanOrEqual(100)
})

test.each(attacks)('$file', async ({ vendor, status, code, policy, requests }) => {
  const preset = POLICIES[policy]
  expect(preset, `the policy ${policy}`).toBeDefined()
  const { daily_cap_usd, [vendor]: block } = preset!
  const key = await stage.key(vendor, { daily_cap_usd, vendors: { [vendor]: block } })
  const send = async (request: string): Promise<Reply> => readReply(await stage.world.raw(bytes(request, vendor, key)))
  for (const request of requests.slice(0, -1))
    expect((await send(request)).headers).toMatchObject({ 'x-spendgate-decision': 'allow' })

  const moved = stage.world[vendor].moved().length
  stage.forget()
  const reply = await send(requests.at(-1)!)
  expect([reply.status, reply.headers['x-spendgate-code'], reply.replies]).toEqual([status, code, 1])
  expectShape(vendor, reply, code)
  expect(stage.seen().filter((line) => !/^(GET |POST \/v1\/invoices\/create_preview$)/.test(line))).toEqual([])
  expect(stage.world[vendor].moved()).toHaveLength(moved)
  const [row, ...earlier] = await stage.rows(key)
  expect(row).toMatchObject({ state: 'denied', settled_usd: '0.00', decision: { verdict: 'deny', code } })
  expect(earlier).toHaveLength(requests.length - 1)
})
