import { serve, type ServerType } from '@hono/node-server'
import type { Hono } from 'hono'
import type { AddressInfo } from 'node:net'
import type { Role } from '../part.js'
import { AGENT_KEY, PATH, type TargetFacts } from './target.js'
import { versionOf } from './version.js'

/** A Hono application as a target, on a port of its own. */
export async function served(
  app: Hono,
  through: string,
  end: () => Promise<void> = async () => {},
): Promise<Role<TargetFacts>> {
  const server = await new Promise<ServerType>((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made))
  })
  return {
    facts: {
      port: (server.address() as AddressInfo).port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: [],
      version: `hono ${versionOf('hono')}, @hono/node-server ${versionOf('@hono/node-server')}, ${through}`,
    },
    stop: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await end()
    },
  }
}
