import type { AddressInfo } from 'node:net'
import type { Role } from '../part.js'
import { loadPeer, versionOfPeer } from '../peers.js'
import { AGENT_KEY, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** As much of fastify as is used here: it is not installed where this is compiled. */
interface Fastify {
  readonly server: { address(): AddressInfo | string | null; closeAllConnections(): void }
  register(plugin: unknown, options: object): void
  listen(options: { readonly port: number; readonly host: string }): Promise<string>
  close(): Promise<void>
}

/** fastify with its own proxy plugin, which streams both ways over undici. */
export async function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
  const app = loadPeer<(options: object) => Fastify>('fastify')({ logger: false })
  app.register(loadPeer('@fastify/http-proxy'), {
    upstream: `http://127.0.0.1:${upstream}`,
    undici: { connections: 128, pipelining: 1 },
    replyOptions: {
      rewriteRequestHeaders: (_request: unknown, headers: object) => ({
        ...headers,
        authorization: `Bearer ${REAL_KEY}`,
      }),
    },
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    facts: {
      port: (app.server.address() as AddressInfo).port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: [],
      version: `fastify ${versionOfPeer('fastify')}, @fastify/http-proxy ${versionOfPeer('@fastify/http-proxy')}`,
    },
    stop: async () => {
      app.server.closeAllConnections()
      await app.close()
    },
  }
}
