import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import type { Role } from '../part.js'
import { AGENT_KEY, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** The least a Node proxy can do: node:http in, `Pool.dispatch` out, the key swapped. Governs nothing. */
export async function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
  const host = `127.0.0.1:${upstream}`
  const pool = new Pool(`http://${host}`, { connections: 128, pipelining: 1 })
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const headers: string[] = ['host', host, 'authorization', `Bearer ${REAL_KEY}`]
      const raw = incoming.rawHeaders
      for (let i = 0; i < raw.length; i += 2) {
        const name = raw[i]!.toLowerCase()
        if (name !== 'host' && name !== 'authorization' && name !== 'connection' && name !== 'content-length') {
          headers.push(name, raw[i + 1]!)
        }
      }
      const reply: Buffer[] = []
      let status = 0
      let head: string[] = []
      pool.dispatch(
        { path: incoming.url!, method: 'POST', headers, body: parts.length === 1 ? parts[0]! : Buffer.concat(parts) },
        {
          onConnect() {},
          onHeaders(code, rawHeaders) {
            status = code
            head = rawHeaders.map((each) => each.toString('latin1'))
            return true
          },
          onData(chunk) {
            reply.push(chunk)
            return true
          },
          onComplete() {
            outgoing.writeHead(
              status,
              head.filter((_, i) => !/^connection$/i.test(head[i - (i % 2)]!)),
            )
            outgoing.end(reply.length === 1 ? reply[0] : Buffer.concat(reply))
          },
          onError(cause) {
            outgoing.writeHead(502)
            outgoing.end(cause.message)
          },
        },
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    facts: {
      port: (server.address() as AddressInfo).port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: [],
      version: `Node ${process.versions.node}`,
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await pool.destroy()
    },
  }
}
