import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CheckpointFile, CheckpointStream, checkpointIn } from '../../src/audit/checkpoint-file.js'
import { Notary } from '../../src/audit/notary.js'
import type { Checkpoint } from '../../src/contracts/ledger.js'
import { signedBy } from '../../src/ledger/checkpoints.js'
import { Metrics } from '../../src/metrics.js'
import { AuditBook } from './audit-book.js'
import { allow, draft, newKey } from './book.js'

const MINUTE = 60_000
let book: AuditBook
let path: string
let logged: string[]
let metrics: Metrics
beforeEach(async () => {
  book = await AuditBook.begun()
  path = join(book.dir, 'checkpoints.ndjson')
  logged = []
  metrics = new Metrics()
})
afterEach(() => book.close())

const notary = (sink = new CheckpointFile(path) as CheckpointFile | CheckpointStream): Notary =>
  new Notary({
    ledger: book.ledger,
    signer: book.signer,
    sink,
    clock: book.clock,
    log: (level, event) => void logged.push(`${level} ${event}`),
    metrics,
  })

const written = (): Checkpoint[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => checkpointIn(line)!)
    : []

test('what came is signed after a minute, and nothing is signed where nothing came', async () => {
  const signs = notary()
  await signs.look()
  expect(written()).toEqual([])
  book.clock.at += MINUTE
  await signs.look()
  expect(written()).toMatchObject([{ seq: 1, entries: 1 }])
  expect(signedBy(book.signer.publicKey, written()[0]!)).toBe(true)
  for (let i = 0; i < 5; i++) {
    book.clock.at += MINUTE
    await signs.look()
  }
  expect(written()).toHaveLength(1)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(metrics.text({})).toContain('spendgate_checkpoints_total 1')
})

test('a thousand entries do not wait for the minute to end', async () => {
  const signs = notary()
  const key = await newKey(book.ledger)
  await Promise.all(Array.from({ length: 990 }, () => book.ledger.admit(draft(key, '0.00'), allow)))
  await signs.look()
  expect(written()).toEqual([])
  await Promise.all(Array.from({ length: 10 }, () => book.ledger.admit(draft(key, '0.00'), allow)))
  await signs.look()
  expect(written()).toMatchObject([{ seq: 1_003 }])
})

test('a graceful stop signs what came last', async () => {
  const signs = notary()
  signs.start()
  await newKey(book.ledger)
  await signs.stop()
  expect(written()).toMatchObject([{ seq: 3, head: (await book.ledger.entries(2, 1))[0]!.hash }])
  expect(await book.ledger.verify()).toEqual([])
})

test('a file that cannot be written warns, is counted, stops nothing, and gets everything once it can', async () => {
  mkdirSync(path)
  const signs = notary()
  for (let i = 0; i < 3; i++) {
    await newKey(book.ledger)
    book.clock.at += MINUTE
    await signs.look()
  }
  expect(logged).toEqual(Array(3).fill('warn checkpoint_failed'))
  expect(metrics.text({})).toContain('spendgate_checkpoint_faults_total 3')
  expect(await book.ledger.checkpoints(0, 10)).toHaveLength(3)
  rmdirSync(path)
  book.clock.at += MINUTE
  await signs.look()
  expect(written()).toEqual(await book.ledger.checkpoints(0, 10))
  expect(logged.at(-1)).toBe('info checkpoints_resumed')
})

test('after a fault there is a pause before the next attempt', async () => {
  mkdirSync(path)
  const signs = notary()
  book.clock.at += MINUTE
  for (let i = 0; i < 5; i++) await signs.look()
  expect(logged).toHaveLength(1)
})

test('a restart goes on behind the last line, and a line that a kill left unfinished is written again', async () => {
  const first = notary()
  book.clock.at += MINUTE
  await first.look()
  const [whole] = written()
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"seq":99,"entr`)
  await newKey(book.ledger)
  const second = notary()
  await second.look()
  book.clock.at += MINUTE
  await second.look()
  expect(written()).toEqual([whole, expect.objectContaining({ seq: 3 })])
})

test('a file that is not one of checkpoints is not cut', async () => {
  const text = 'x'.repeat(10_000)
  writeFileSync(path, text)
  const sink = new CheckpointFile(path)
  const checkpoint = (await book.ledger.checkpoint(book.signer))!
  await sink.append([checkpoint])
  expect(readFileSync(path, 'utf8').startsWith(text)).toBe(true)
})

test('on standard output nothing is said twice over a restart', async () => {
  let said = ''
  const write = (text: string): void => void (said += text)
  const first = notary(new CheckpointStream(write, 0))
  book.clock.at += MINUTE
  await first.look()
  await newKey(book.ledger)
  const from = (await book.ledger.lastCheckpoint())!.seq
  const second = notary(new CheckpointStream(write, from))
  await second.look()
  book.clock.at += MINUTE
  await second.look()
  expect(
    said
      .trimEnd()
      .split('\n')
      .map((line) => checkpointIn(line)!.seq),
  ).toEqual([1, 3])
})
