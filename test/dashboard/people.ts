import { generateKeyPairSync } from 'node:crypto'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { expect } from 'vitest'
import { RETURN_PATH } from '../../src/dashboard/oidc-settings.js'
import type { World } from '../helpers/world.js'
import type { Sheet, Visitor } from './visitor.js'

const CLIENT_SECRET = 'CANARYoidcClientSecret0123456789abcdef'

const KEY = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

export interface Someone {
  readonly email: string
  readonly email_verified?: boolean
  readonly groups: readonly string[] | string
}

/** A whole OpenID provider on loopback with people in it. Whoever is `present` is who sits at the browser. */
export class People {
  readonly known = new Map<string, Someone>()
  present = ''
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<People> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new People(server)
  }

  /** By a name that is another site than the address of spendgate, as browsers see it. */
  get issuer(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  /** What spendgate is started with. */
  get env(): Record<string, string> {
    return {
      SPENDGATE_OIDC_ISSUER: this.issuer,
      SPENDGATE_OIDC_CLIENT_ID: 'spendgate',
      SPENDGATE_OIDC_CLIENT_SECRET: CLIENT_SECRET,
      SPENDGATE_OIDC_ROLES: 'viewer=finance,approver=oncall,admin=platform',
    }
  }

  /** @param lean whether claims are told at the userinfo endpoint only, as the specification has it */
  serve(world: World, lean: boolean): void {
    const provider = new Provider(this.issuer, {
      clients: [
        { client_id: 'spendgate', client_secret: CLIENT_SECRET, redirect_uris: [world.server.adminUrl + RETURN_PATH] },
      ],
      claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
      conformIdTokenClaims: lean,
      pkce: { required: () => true },
      cookies: { keys: ['of the test'] },
      jwks: { keys: [{ ...KEY.export({ format: 'jwk' }), use: 'sig' }] },
      ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
      features: { devInteractions: { enabled: false } },
      interactions: { url: () => '/who' },
      findAccount: (_: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, email_verified: true, ...this.known.get(id) }),
      }),
      loadExistingGrant: async ({
        oidc,
      }: {
        oidc: { client: { clientId: string }; session: { accountId: string } }
      }) => {
        const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
        grant.addOIDCScope('openid email profile')
        await grant.save()
        return grant
      },
    })
    const answer = provider.callback()
    this.#server.removeAllListeners('request')
    this.#server.on('request', (incoming, outgoing) => {
      if (incoming.url !== '/who') return answer(incoming, outgoing)
      const result = this.present === '' ? { error: 'access_denied' } : { login: { accountId: this.present } }
      void provider.interactionFinished(incoming, outgoing, result)
    })
  }

  /** Signs somebody in from the form for signing in up to the page that leads on. */
  async signIn(visitor: Visitor, id: string, to = '/dashboard'): Promise<Sheet> {
    this.present = id
    const begun = await visitor.get(`/dashboard/oidc/begin?to=${encodeURIComponent(to)}`)
    expect(begun.status, begun.text).toBe(303)
    const back = await this.walk(begun.headers.location!)
    return visitor.get(back.pathname + back.search, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })
  }

  /** Where the provider sends a browser to that came with this address and knows nobody yet. */
  async walk(location: string): Promise<URL> {
    const cookies = new Map<string, string>()
    let at = new URL(location)
    for (let steps = 0; at.origin === this.issuer && steps < 8; steps++) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const reply = await new Promise<{ location: string | undefined; set: readonly string[] }>((resolve, reject) => {
        const sent = request(at, { agent: false, headers: { cookie } }, (incoming) => {
          incoming.resume()
          resolve({ location: incoming.headers.location, set: incoming.headers['set-cookie'] ?? [] })
        })
        sent.on('error', reject).end()
      })
      for (const line of reply.set) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        cookies.set(name!, value!)
      }
      expect(reply.location, at.href).toBeDefined()
      at = new URL(reply.location!, at)
    }
    return at
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}
