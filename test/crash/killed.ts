import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import { startSimulators, stillAlive, type Child, type Known } from '../helpers/process.js'
import { Campaign, type Totals } from './campaign.js'
import { VendorRecord } from './record.js'
import { postgresStore, sqliteStore, type Store } from './store.js'

/** Kills that one book lives through; then a new one begins, so that a long campaign does not slow down. */
const CYCLES_A_BOOK = 10

/**
 * A server is killed again and again while a dozen clients spend on it, and its book is held against what they heard and
 * what the vendor saw.
 *
 * @param cycles how often
 */
export function killed(store: 'sqlite' | 'postgres', cycles: number): void {
  describe.skipIf(store === 'postgres' && postgresMissing !== null)(
    `killed ${cycles} times under load, its book in ${store}`,
    () => {
      const dir = mkdtempSync(join(tmpdir(), 'spendgate-crash-'))
      const servers: Known[] = []
      let vendor: { readonly child: Child; readonly stripe: string }
      let seen: VendorRecord
      let postgres: PostgresServer | null = null

      const storeFor = async (book: string): Promise<Store> =>
        postgres === null ? sqliteStore(book) : postgresStore(postgres.url(await postgres.database()))

      beforeAll(async () => {
        if (store === 'postgres') postgres = await PostgresServer.start()
        const record = join(dir, 'vendor.ndjson')
        vendor = await startSimulators(record)
        seen = new VendorRecord(record, vendor.stripe)
      })
      afterAll(async () => {
        await vendor.child.stop()
        seen.close()
        await postgres?.remove()
        rmSync(dir, { recursive: true, force: true })
      })

      test(
        'the server loses no acknowledged call, sends nothing unbooked, and never passes a cap',
        async () => {
          const totals: Totals = {
            answered: 0,
            moved: 0,
            assumed: 0,
            retried: 0,
            capped: 0,
            killedAtStart: 0,
            revokes: 0,
            revokesHeard: 0,
          }
          for (let done = 0; done < cycles; done += CYCLES_A_BOOK) {
            const book = join(dir, `book-${done}`)
            const store = await storeFor(book)
            const campaign = new Campaign({ dir: book, store, stripe: vendor.stripe, seen, servers, totals })
            await campaign.run(Math.min(CYCLES_A_BOOK, cycles - done))
          }
          // A campaign that never caught the server at work would prove nothing.
          expect(totals.moved).toBeGreaterThan(cycles)
          expect(totals.assumed).toBeGreaterThan(0)
          expect(totals.retried).toBeGreaterThan(0)
          if (cycles >= CYCLES_A_BOOK) {
            expect(totals.capped).toBeGreaterThan(0)
            expect(totals.revokes).toBeGreaterThanOrEqual(2 * Math.floor(cycles / CYCLES_A_BOOK))
          }
          console.log(`Killed ${servers.length} servers: ${JSON.stringify(totals)}`)
        },
        60_000 + cycles * 15_000,
      )

      test('no server is left behind', () => {
        expect(servers).not.toEqual([])
        expect(servers.filter(stillAlive)).toEqual([])
      })
    },
  )
}
