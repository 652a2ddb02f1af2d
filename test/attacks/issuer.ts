import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEY_ID = 'issuer-1'

type Claims = Readonly<Record<string, unknown>>

/**
 * An OpenID provider that says what a test tells it to. Its page for signing in is not there: tests come back from it by
 * themselves, with the state that was sent, or with another.
 */
export class Issuer {
  /** What the client sent to exchange codes, one each. */
  readonly exchanged: URLSearchParams[] = []
  /** Claims of the next ID token beside those that every one has; null takes one of those away. */
  claims: Claims = {}
  /** What the userinfo endpoint tells beside `sub`; null: there is none. To be set before the provider is first asked. */
  told: Claims | null = null
  /** Makes the ID token. */
  seal: (claims: Claims) => string = (claims) => signed(claims)
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<Issuer> {
    const server = createServer()
    const issuer = new Issuer(server)
    server.on('request', (incoming, outgoing) => {
      const reply = (body: object): void => {
        outgoing.setHeader('content-type', 'application/json')
        outgoing.end(JSON.stringify(body))
      }
      if (incoming.url === '/.well-known/openid-configuration') return reply(issuer.#metadata())
      if (incoming.url === '/userinfo') return reply({ sub: issuer.#token().sub, ...issuer.told })
      if (incoming.url === '/jwks') return reply({ keys: [jwk(publicKey)] })
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => (text += chunk))
      incoming.on('end', () => {
        issuer.exchanged.push(new URLSearchParams(text))
        reply({ access_token: 'at_1', token_type: 'Bearer', id_token: issuer.seal(issuer.#token()) })
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return issuer
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #metadata(): object {
    return {
      issuer: this.origin,
      authorization_endpoint: `${this.origin}/authorize`,
      token_endpoint: `${this.origin}/token`,
      jwks_uri: `${this.origin}/jwks`,
      ...(this.told === null ? {} : { userinfo_endpoint: `${this.origin}/userinfo` }),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }
  }

  #token(): Claims {
    const seconds = Math.floor(Date.now() / 1000)
    const claims = {
      iss: this.origin,
      aud: 'spendgate',
      sub: 'u-1',
      iat: seconds,
      exp: seconds + 300,
      email: 'alice@example.com',
      email_verified: true,
      groups: ['platform'],
      ...this.claims,
    }
    return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null))
  }
}

export function signed(claims: Claims, key: KeyObject = privateKey): string {
  const text = `${part({ alg: 'RS256', kid: KEY_ID, typ: 'JWT' })}.${part(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

export const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const jwk = (key: KeyObject): object => ({ ...key.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' })
