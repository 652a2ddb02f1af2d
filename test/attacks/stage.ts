import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { SeenRequest } from '../../fixtures/simulators/index.js'
import { statusOf, type DenialCode } from '../../src/contracts/call.js'
import { World, type IssuedKey } from '../helpers/world.js'

export type VendorName = 'stripe' | 'twilio' | 'resend'
const VENDORS = ['stripe', 'twilio', 'resend'] as const

/** A request as bytes. What is not said is filled in as an honest client of the vendor would. */
export interface Attack {
  /** Whose key, in whose form. Stripe's when absent. */
  readonly vendor?: VendorName
  /** `POST /stripe/v1/refunds`; the version of HTTP is added. */
  readonly line: string
  /** Raw header lines. One that names Host, Authorization, Content-Type or Content-Length takes the place of ours. */
  readonly headers?: readonly string[]
  /** Headers of ours to leave out, lower case. */
  readonly without?: readonly string[]
  /** Bytes, as latin1 text. Measured for Content-Length as it is. */
  readonly body?: string
  readonly http?: '1.0' | '1.1'
}

/** What came back, taken apart. */
export interface Reply {
  readonly status: number
  /** Lower-case names; a repeated one is joined with ', '. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Replies on the connection. More than one means that one message was read as two. */
  readonly replies: number
}

export interface Expected {
  /** Look-ups the contract allows before this refusal, as `METHOD path`, in order. None when absent. */
  readonly lookUps?: readonly string[]
  /** Further parts of a policy beside «everything is allowed». */
  readonly policy?: Record<string, unknown>
}

/** The whole product with a key for whoever attacks it. Every test ends with a proof of the book. */
export class Stage {
  world!: World
  #keys = 0

  async open(env: Record<string, string>): Promise<void> {
    this.world = await World.start(env)
    const { twilio } = this.world
    await this.world.must('POST', '/credentials', {
      vendor: 'twilio',
      name: 'twilio-simulated',
      secret: { account_sid: twilio.accountSid, api_key_sid: twilio.keySid, api_key_secret: twilio.keySecret },
    })
    this.world.stripe.seed()
  }

  readonly #policies = new Map<string, string>()

  /** A new key for one vendor. Without a document everything is allowed that a policy can allow, and USD 1000 a day. */
  async key(vendor: VendorName = 'stripe', document: Record<string, unknown> = {}): Promise<IssuedKey> {
    const ids = await this.world.credentials()
    const wanted = JSON.stringify([vendor, document])
    let name = this.#policies.get(wanted)
    if (name === undefined) {
      name = `attacked-${this.#policies.size + 1}`
      this.#policies.set(wanted, name)
      const everything = {
        endpoints: { allow: ['* *'] },
        permit: ['future_spend', 'credential', 'routing', 'destructive'],
      }
      const given = (document.vendors ?? {}) as Record<string, object>
      await this.world.must('POST', '/policies', {
        apiVersion: 'spendgate/v1',
        name,
        daily_cap_usd: '1000.00',
        ...document,
        vendors: { [vendor]: { ...everything, ...given[vendor] } },
      })
    }
    const issued = { name: `attacker-${++this.#keys}`, policy: name, credentials: [ids[vendor]] }
    return this.world.must('POST', '/keys', issued)
  }

  async send(attack: Attack, authorization: string): Promise<Reply> {
    return readReply(await this.world.raw(written(attack, authorization)))
  }

  /** Requests that reached any vendor, as `METHOD target`. */
  seen(): string[] {
    return this.#requests().map(({ method, path }) => `${method} ${path}`)
  }

  #requests(): SeenRequest[] {
    return VENDORS.flatMap((vendor) => this.world[vendor].requests)
  }

  forget(): void {
    for (const vendor of VENDORS) this.world[vendor].requests.length = 0
  }

  rows(key: IssuedKey): Promise<any[]> {
    return this.world.calls(`&key=${key.id}`)
  }

  /** The refusal in the vendor's own shape, one row, and nothing at any vendor beside the look-ups named. */
  async refuses(attack: Attack, code: DenialCode, { lookUps = [], policy = {} }: Expected = {}): Promise<Reply> {
    const vendor = attack.vendor ?? 'stripe'
    const key = await this.key(vendor, policy)
    this.forget()
    const reply = await this.send(attack, presented(vendor, key))
    expect(reply).toMatchObject({ replies: 1, status: statusOf(code) })
    expectShape(vendor, reply, code)
    expect(reply.headers).toMatchObject({ 'x-spendgate-code': code, 'x-spendgate-decision': 'deny' })
    expect(reply.headers['x-spendgate-remaining-usd']).toMatch(/^\d+\.\d{2,6}$/)
    expect(this.seen()).toEqual(lookUps)
    const rows = await this.rows(key)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      id: reply.headers['x-spendgate-call-id'],
      state: 'denied',
      settled_usd: '0.00',
      decision: { verdict: 'deny', code },
    })
    return reply
  }

  /** Refused before anybody knows who asks: this status, no row anywhere, nothing at a vendor. */
  async ignores(attack: Attack, status: number, authorization?: string): Promise<Reply> {
    const vendor = attack.vendor ?? 'stripe'
    const before = (await this.world.calls()).length
    this.forget()
    const reply = await this.send(attack, authorization ?? presented(vendor, await this.key(vendor)))
    expect(reply).toMatchObject({ replies: 1, status })
    expect(this.seen()).toEqual([])
    expect(await this.world.calls()).toHaveLength(before)
    return reply
  }
}

/** One stage for all tests of a file. */
export function onStage(env: Record<string, string> = {}): Stage {
  const stage = new Stage()
  beforeAll(() => stage.open(env))
  afterEach(async () => {
    expect(await stage.world.verified()).toEqual([])
  })
  afterAll(() => stage.world.close())
  return stage
}

/** The Authorization header an unmodified client of the vendor would send. */
export function presented(vendor: VendorName, { presentations }: IssuedKey): string {
  if (vendor === 'stripe') return `Bearer ${presentations.stripe![0]}`
  if (vendor === 'resend') return `Bearer ${presentations.resend}`
  const { api_key_sid, api_key_secret } = presentations.twilio!
  return basic(api_key_sid, api_key_secret)
}

export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

const MEDIA = {
  stripe: 'application/x-www-form-urlencoded',
  twilio: 'application/x-www-form-urlencoded',
  resend: 'application/json',
} as const

export function written(attack: Attack, authorization: string): string {
  const { vendor = 'stripe', line, headers = [], without = [], body, http = '1.1' } = attack
  const given = new Set(headers.map((header) => header.split(':')[0]!.trim().toLowerCase()))
  const ours = [
    ['host', 'Host: 127.0.0.1'],
    ['authorization', `Authorization: ${authorization}`],
    ...(body === undefined
      ? []
      : [
          ['content-type', `Content-Type: ${MEDIA[vendor]}`],
          ['content-length', `Content-Length: ${body.length}`],
        ]),
  ].flatMap(([name, text]) => (given.has(name!) || without.includes(name!) ? [] : [text!]))
  const connection = given.has('connection') ? [] : ['Connection: close']
  return [`${line} HTTP/${http}`, ...ours, ...headers, ...connection, '', body ?? ''].join('\r\n')
}

export function readReply(text: string): Reply {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [status = '', ...lines] = head.split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(status)?.[1] ?? 0),
    headers,
    body: Buffer.from(rest.join('\r\n\r\n'), 'latin1').toString('utf8'),
    replies: text.match(/HTTP\/1\.1 \d{3} /g)?.length ?? 0,
  }
}

/** Contract §6: the vendor's own error body. */
export function expectShape(vendor: VendorName, reply: Reply, code: DenialCode): void {
  const body: unknown = JSON.parse(reply.body)
  const message = expect.stringMatching(new RegExp(`^${code}: .+`))
  if (vendor === 'stripe') {
    expect(body).toEqual({ error: { type: 'invalid_request_error', code, message } })
    expect(reply.headers['stripe-should-retry']).toBe('false')
  } else if (vendor === 'twilio') {
    expect(body).toEqual({
      code: expect.any(Number),
      message,
      more_info: expect.any(String),
      status: reply.status,
      details: { code },
    })
  } else expect(body).toEqual({ statusCode: reply.status, name: code, message })
}

/** `POST` of a form to Stripe under its prefix. */
export const stripe = (path: string, body: string, headers: readonly string[] = []): Attack => ({
  line: `POST /stripe${path}`,
  body,
  headers,
})

/** `POST` of a JSON text to Resend under its prefix. */
export const resend = (path: string, body: string): Attack => ({
  vendor: 'resend',
  line: `POST /resend${path}`,
  body: Buffer.from(body).toString('latin1'),
})

/** `POST` of a form to the key's own Twilio account. */
export const twilio = (stage: Stage, path: string, body: string): Attack => ({
  vendor: 'twilio',
  line: `POST /twilio/2010-04-01/Accounts/${stage.world.twilio.accountSid}${path}`,
  body,
})
