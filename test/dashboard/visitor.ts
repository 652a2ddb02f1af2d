import { request, type ClientRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { expect } from 'vitest'
import { REAL, type World } from '../helpers/world.js'

export interface Sheet {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** A browser without scripts: keeps cookies, follows nothing, sends forms as pages do. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  readonly #origin: URL
  readonly #ca: string | undefined

  /** @param ca who vouches for the server, where it speaks TLS */
  constructor(world: { readonly server: Pick<World['server'], 'adminUrl'> }, ca?: string) {
    this.#origin = new URL(world.server.adminUrl)
    this.#ca = ca
  }

  get origin(): string {
    return this.#origin.origin
  }

  ask(method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: string): Promise<Sheet> {
    return new Promise((resolve, reject) => {
      const sent = this.#begun(method, path, headers)
      sent.on('response', (incoming) => {
        for (const line of incoming.headers['set-cookie'] ?? []) {
          const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
          if (value === '' || /max-age=0/i.test(line)) this.cookies.delete(name!)
          else this.cookies.set(name!, value!)
        }
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode!,
            headers: incoming.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        )
        incoming.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  #begun(method: string, path: string, headers: OutgoingHttpHeaders): ClientRequest {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const options = {
      host: this.#origin.hostname,
      port: this.#origin.port,
      method,
      path,
      agent: false,
      headers: { ...(cookie === '' ? {} : { cookie }), ...headers },
    }
    return this.#origin.protocol === 'https:' ? requestOverTls({ ...options, ca: this.#ca }) : request(options)
  }

  /** Follows the stream of an open page; each call gives what comes next. */
  follow(): { next(): Promise<string>; close(): void } {
    const sent = this.#begun('GET', '/dashboard/stream', {})
    const incoming = new Promise<AsyncIterator<Buffer>>((resolve, reject) => {
      sent.on('response', (response) => resolve(response[Symbol.asyncIterator]() as AsyncIterator<Buffer>))
      sent.on('error', reject)
    })
    sent.end()
    return {
      next: async () => String((await (await incoming).next()).value),
      close: () => void sent.destroy(),
    }
  }

  get = (path: string, headers: OutgoingHttpHeaders = {}): Promise<Sheet> => this.ask('GET', path, headers)

  /** Sends a form as a page of ours would. */
  post(path: string, fields: Record<string, string>, headers: OutgoingHttpHeaders = {}): Promise<Sheet> {
    return this.ask(
      'POST',
      path,
      {
        'content-type': 'application/x-www-form-urlencoded',
        origin: this.#origin.origin,
        'sec-fetch-site': 'same-origin',
        ...headers,
      },
      new URLSearchParams(fields).toString(),
    )
  }

  async signIn(): Promise<this> {
    const sheet = await this.post('/dashboard/sign-in', { token: REAL.admin, to: '/dashboard' })
    expect([sheet.status, sheet.headers.location]).toEqual([303, '/dashboard'])
    return this
  }

  /** A page that must be there. */
  async page(path: string): Promise<string> {
    const sheet = await this.get(path)
    expect(sheet.status, sheet.text.slice(0, 400)).toBe(200)
    return sheet.text
  }

  async csrf(): Promise<string> {
    return /name="csrf" value="([^"]+)"/.exec(await this.page('/dashboard/approvals'))![1]!
  }

  /** Sends a form of the session, and gives the sentence that the next page says about it. */
  async does(path: string, fields: Record<string, string> = {}): Promise<string> {
    const sheet = await this.post(path, { csrf: await this.csrf(), ...fields })
    expect(sheet.status, sheet.text.slice(0, 600)).toBe(303)
    return noticeIn(await this.page(sheet.headers.location!))
  }
}

export const noticeIn = (page: string): string =>
  words(/<div class="notice" role="status">(.*?)<\/div>/s.exec(page)?.[1] ?? '')

/** The words of a page, as they are read. */
export const words = (html: string): string =>
  html
    .replace(/<wbr ?\/?>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ')
    .trim()
