import { installClients } from './clients.js'
import { PostgresServer, postgresMissing } from './postgres.js'
import { DEBIAN_CLIENTS, debianPackages } from './debian.js'

/**
 * Once before all tests: what several suites would else install at the same time. Each suite says itself what it lacks.
 * With SPENDGATE_TEST_STORE=postgres also the database that every test's server is to keep its ledger in.
 */
export default async function before(): Promise<(() => Promise<void>) | undefined> {
  installClients()
  for (const wanted of Object.values(DEBIAN_CLIENTS)) debianPackages(wanted)
  if (postgresMissing !== null) console.log(`What needs PostgreSQL is skipped: ${postgresMissing}`)
  if (process.env.SPENDGATE_TEST_STORE !== 'postgres') return undefined
  if (postgresMissing !== null) throw new Error(postgresMissing)
  const server = await PostgresServer.start()
  process.env.SPENDGATE_TEST_POSTGRES = server.url()
  return () => server.remove()
}
