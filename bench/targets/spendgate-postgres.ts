import { PostgresServer } from '../../test/helpers/postgres.js'
import { childrenOf } from '../machine.js'
import type { Role } from '../part.js'
import { start as startGoverned, type Book } from './spendgate.js'
import type { TargetFacts, TargetOptions } from './target.js'

/** The product on a PostgreSQL of its own, as durable as in production, which shares the product's processors. */
export async function start(options: TargetOptions): Promise<Role<TargetFacts, 'book', Book>> {
  const server = await PostgresServer.start({ shared_buffers: '256MB', max_wal_size: '2GB' })
  try {
    const [{ version }] = await server.sql(`select current_setting('server_version') as version`)
    const governed = await startGoverned({
      ...options,
      name: 'spendgate-postgres',
      databaseUrl: server.url(await server.database()),
    })
    return {
      facts: {
        ...governed.facts,
        // Its connections are open by now; each is a process of the database's.
        pids: [process.pid, server.pid, ...childrenOf(server.pid)],
        version: `PostgreSQL ${(version as string).split(' ')[0]}`,
      },
      ask: governed.ask!,
      stop: async () => {
        await governed.stop()
        await server.remove()
      },
    }
  } catch (cause) {
    await server.remove()
    throw cause
  }
}
