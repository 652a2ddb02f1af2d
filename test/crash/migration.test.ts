import Database from 'better-sqlite3'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { migrations, openDatabase } from '../../src/ledger/open.js'
import { alive, built, Child } from '../helpers/process.js'

/*
 * A server killed while it brings an old file up to date: the file is at one version or at the next, never between, and
 * the next start goes on from there.
 */

const KILLS = Math.max(8, Math.ceil(Number(process.env.SPENDGATE_CRASH_CYCLES ?? 50) / 10))
/** As many as make the steps take long enough to be hit. */
const ROWS = 30_000
/** The version that the first release wrote. */
const OLD_VERSION = 3

const dir = mkdtempSync(join(tmpdir(), 'spendgate-migration-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const versionOf = (db: Database.Database): number => db.pragma('user_version', { simple: true }) as number
const tablesOf = (db: Database.Database): unknown =>
  db.prepare(`select name, sql from sqlite_schema where name not like 'sqlite_%' order by name`).all()

/** What no migration may change. */
const contents = (db: Database.Database): unknown =>
  db
    .prepare(
      'select count(*) as calls, sum(settled) as settled, sum(reserved) as reserved, max(seq) as last from calls',
    )
    .get()

/** A file as an earlier version left it: released calls only, which ask nothing of a start. */
function oldFile(file: string): unknown {
  const db = new Database(file)
  try {
    db.pragma('journal_mode = WAL')
    for (const { version, sql } of migrations()) {
      if (version > OLD_VERSION) break
      db.exec(sql)
      db.pragma(`user_version = ${version}`)
    }
    db.exec(
      `insert into calls (seq, at, key_id, root_id, run, run_source, vendor, surface, method, path, direction, state, basis,
         quoted, reserved, settled, request_hash, count, look_ups, verdict, counters)
       with recursive n(i) as (select 1 union all select i + 1 from n where i < ${ROWS})
       select i, 1000 + i, 'key_x', 'key_x', 'run_x', 'implicit', 'stripe', 'rest', 'POST', '/v1/refunds', 'none', 'released',
         'exact', i, i, 0, 'hash', 1, 0, 'allow', '' from n`,
    )
    return contents(db)
  } finally {
    db.close()
  }
}

test(
  `a start killed ${KILLS} times while it migrates leaves whole steps, and one that lives finishes them`,
  async () => {
    const steps = migrations().map(({ version }) => version)
    const newest = steps.at(-1)!
    expect(newest, 'there is something to migrate').toBeGreaterThan(OLD_VERSION)
    const fresh = openDatabase(join(dir, 'fresh.db'))
    const wanted = tablesOf(fresh)
    fresh.close()
    const opened = built('src/ledger/open.js')
    /** Opens the file as a start does, says so, and waits to be killed. */
    const starting = (file: string): Child =>
      new Child([
        '--input-type=module',
        '--eval',
        `import { openDatabase } from ${JSON.stringify(opened)}
       process.stdout.write('{"begun":true}\\n')
       openDatabase(${JSON.stringify(file)})
       process.stdout.write('{"done":true}\\n')
       setInterval(() => {}, 1000)`,
      ])

    // How long it takes when nobody interferes.
    const whole = join(dir, 'whole')
    mkdirSync(whole, { mode: 0o700 })
    oldFile(join(whole, 'spendgate.db'))
    const first = starting(join(whole, 'spendgate.db'))
    await first.json()
    const begun = performance.now()
    await first.json()
    const tookMs = Math.ceil(performance.now() - begun)
    await first.kill()

    const versions = new Set<number>()
    const pids: number[] = [first.pid]
    for (let kill = 0; kill < KILLS; kill++) {
      const home = join(dir, `${kill}-${randomBytes(3).toString('hex')}`)
      mkdirSync(home, { mode: 0o700 })
      const file = join(home, 'spendgate.db')
      const before = oldFile(file)
      const child = starting(file)
      pids.push(child.pid)
      await child.json()
      await pause(kill === 0 ? 0 : randomInt(0, tookMs + 1))
      await child.kill()

      const left = new Database(file)
      const version = versionOf(left)
      versions.add(version)
      expect(steps).toContain(version)
      expect(version).toBeGreaterThanOrEqual(OLD_VERSION)
      expect(left.pragma('integrity_check', { simple: true })).toBe('ok')
      expect(contents(left)).toEqual(before)
      left.close()

      const again = openDatabase(file)
      expect(versionOf(again)).toBe(newest)
      expect(tablesOf(again)).toEqual(wanted)
      expect(contents(again)).toEqual(before)
      again.close()
      rmSync(home, { recursive: true, force: true })
    }
    // Kills that all came too early or too late would prove nothing.
    expect(versions.has(OLD_VERSION)).toBe(true)
    expect(pids.filter(alive)).toEqual([])
  },
  60_000 + KILLS * 10_000,
)
