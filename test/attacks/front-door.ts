import { serve } from '@hono/node-server'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { judge } from '../../policies/index.js'
import { createAdmin } from '../../src/admin/server.js'
import { SystemClock } from '../../src/clock.js'
import { KeyDigest } from '../../src/custody/keys.js'
import { Vault } from '../../src/custody/seal.js'
import { RETURN_PATH } from '../../src/dashboard/oidc-settings.js'
import { Operators } from '../../src/ledger/operators.js'
import { openSqlite, type SqliteLedger } from '../../src/ledger/sqlite.js'
import { Visitor, words, type Sheet } from '../dashboard/visitor.js'
import { Issuer } from './issuer.js'
import { settingsFor } from './way-back.js'

/** The admin port alone, with a provider behind which anybody may be. */
export class FrontDoor {
  readonly issuer: Issuer
  readonly operators: Operators
  readonly #dir = mkdtempSync(join(tmpdir(), 'spendgate-door-'))
  readonly #ledger: SqliteLedger
  readonly #server: Server

  private constructor(issuer: Issuer) {
    this.issuer = issuer
    const clock = new SystemClock()
    const digest = new KeyDigest(Buffer.alloc(32, 1))
    this.#ledger = openSqlite({ file: join(this.#dir, 'spendgate.db'), clock })
    this.operators = new Operators(this.#ledger, digest, clock)
    const app = createAdmin({
      ledger: this.#ledger,
      judge,
      vault: new Vault(Buffer.alloc(32, 2)),
      digest,
      vendors: [],
      clock,
      adminToken: { check: () => false },
      operators: this.operators,
      oidc: { settings: settingsFor(issuer), redirectUri: () => this.server.adminUrl + RETURN_PATH },
      allowedHosts: ['gate.example'],
      ready: () => ({ ok: true, faults: [] }),
      version: '0.0.0',
      onTablesChanged: () => undefined,
    })
    this.#server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  }

  static async start(): Promise<FrontDoor> {
    const door = new FrontDoor(await Issuer.start())
    if (!door.#server.listening) await new Promise((resolve) => door.#server.once('listening', resolve))
    return door
  }

  /** As a visitor wants it. */
  get server(): { readonly adminUrl: string } {
    return { adminUrl: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}` }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.issuer.close()
    await this.#ledger.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  visitor(): Visitor {
    return new Visitor(this)
  }

  /** Goes to the provider; from there the issuer's next token is for this attempt. */
  async begin(
    visitor: Visitor,
    headers: Record<string, string> = {},
  ): Promise<{ readonly state: string; readonly redirectUri: string }> {
    const sheet = await visitor.get('/dashboard/oidc/begin?to=/dashboard/approvals', headers)
    expect(sheet.status, sheet.text).toBe(303)
    const query = new URL(sheet.headers.location!).searchParams
    this.issuer.claims = { nonce: query.get('nonce') }
    return { state: query.get('state')!, redirectUri: query.get('redirect_uri')! }
  }

  /** Comes back as the provider's page sends a browser back. */
  comeBack(visitor: Visitor, query: Record<string, string>, headers: Record<string, string> = {}): Promise<Sheet> {
    return visitor.get(`${RETURN_PATH}?${new URLSearchParams(query).toString()}`, {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      ...headers,
    })
  }
}

/** Whoever came back like this has a session now, and is led on. */
export async function expectSomebody(visitor: Visitor, sheet: Sheet): Promise<void> {
  expect(sheet.status, words(sheet.text)).toBe(200)
  expect(sheet.text).toContain('<meta http-equiv="refresh" content="0; url=/dashboard/approvals"')
  expect((await visitor.get('/dashboard/approvals')).status).toBe(200)
}
