import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { KeyRecord, Ledger } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { newSigningKey, PUBLIC_KEYS_SETTING, Signer } from '../../src/ledger/checkpoints.js'
import { openSqlite, type SqliteLedger } from '../../src/ledger/sqlite.js'
import { verify } from '../../src/ledger/verify.js'
import { allow, budget, credential, dollars, done, draft, newKey, refuse, reply, StandingClock } from './book.js'

export const PHONE = '+14155550123'
export const EMAIL = 'ann.smith@example.com'

/** A ledger on a file of its own that is signed, and the means to look at a copy of it. */
export class AuditBook {
  readonly dir = mkdtempSync(join(tmpdir(), 'spendgate-audit-'))
  readonly file = join(this.dir, 'spendgate.db')
  readonly clock = new StandingClock()
  readonly signer = new Signer(newSigningKey())
  readonly publicKeys = { [this.signer.keyId]: this.signer.publicKey }
  ledger: SqliteLedger = openSqlite({ file: this.file, clock: this.clock })
  #copies = 0

  static async begun(): Promise<AuditBook> {
    const book = new AuditBook()
    await book.ledger.putSetting(PUBLIC_KEYS_SETTING, book.publicKeys, 'start')
    return book
  }

  async reopen(): Promise<SqliteLedger> {
    await this.ledger.close()
    return (this.ledger = openSqlite({ file: this.file, clock: this.clock }))
  }

  /** A database of the same content, without the triggers that keep history. */
  async copy(): Promise<Database.Database> {
    const file = join(this.dir, `copy-${++this.#copies}.db`)
    await this.ledger.backup(file)
    const db = new Database(file)
    for (const name of db.prepare(`select name from sqlite_schema where type = 'trigger'`).pluck().all() as string[])
      db.exec(`drop trigger ${name}`)
    return db
  }

  /** What `verify` says of a copy that was changed. */
  async changed(...statements: string[]): Promise<readonly string[]> {
    const db = await this.copy()
    try {
      for (const sql of statements) db.exec(sql)
      return verify(db)
    } finally {
      db.close()
    }
  }

  async close(): Promise<void> {
    await this.ledger.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** Something of everything that leaves a row, two checkpoints in it; the key it was done under. */
  furnish(): Promise<KeyRecord> {
    return furnish(this)
  }
}

/** Something of everything that leaves a row, two checkpoints in it; the key it was done under. */
export async function furnish({
  ledger,
  clock,
  signer,
}: {
  readonly ledger: Ledger
  readonly clock: StandingClock
  readonly signer: Signer
}): Promise<KeyRecord> {
  const kept = credential({ name: 'main' })
  await ledger.putCredential(kept, 'credential.added', 'ada')
  await ledger.putCredential({ ...kept, fingerprint: 'beef', rotatedAt: clock.at }, 'credential.rotated', 'ada')
  const gone = credential()
  await ledger.putCredential(gone, 'credential.added', 'ada')
  await ledger.removeCredential(gone.id, 'ada')
  await ledger.addPolicy('support', { recipients: [PHONE, '+1415*'], note: `for ${EMAIL}` }, 'ada')
  await ledger.addPolicy('support', { recipients: ['+1415*'] }, 'ada')
  const key = await newKey(ledger, { credentialIds: [kept.id] })
  const child = await newKey(ledger, { parentId: key.id, policyId: key.policyId, run: 'run_9' })
  await ledger.narrowKey(child.id, { recipients: [PHONE] }, 'ada')
  await ledger.revoke(child.id, `complaint of ${EMAIL}`, 'ada')
  await ledger.freeze({ kind: 'run', value: 'run_8' }, `asked for by ${EMAIL}`, 'ada')
  await ledger.freeze({ kind: 'all' }, null, 'ada')
  await ledger.unfreeze({ kind: 'all' }, 'ada')
  await ledger.putSetting('rates', { usd_per: { eur: '1.09' } }, 'ada')
  await ledger.checkpoint(signer)

  const budgets = [budget('key:a', '1000.00')]
  const words = { path: `/v2/PhoneNumbers/${PHONE}`, customer: 'cus_A', reason: `${EMAIL} asked for it` }
  const of = (more: Parameters<typeof draft>[2] = {}): Parameters<typeof draft>[2] => ({
    budgets,
    credentialId: kept.id,
    ...more,
  })
  await done(ledger, draft(key, '5.00', of({ object: 'pi_1' })), reply('settled', { requestId: 'req_1' }))
  await done(ledger, draft(key, '9.00', of({ object: 'pi_1' })), reply('settled', { total: dollars('4.00') }))
  await done(ledger, draft(key, '7.00', of({ object: 'pi_2', idempotencyHash: 'i' })), reply('assumed'))
  await done(ledger, draft(key, '3.00', of()), reply('released'))
  await ledger.admit(draft(key, '1.00', of(words)), refuse('recipient_not_allowed', `${EMAIL} is not allowed.`))
  const monthly = { kind: 'recurring', perMonth: dollars('30.00'), dueAt: null, quantity: 2n } as const
  const recurring = [budget('key:a|recurring', '100.00', { window: 'all', measure: 'recurring' })]
  await done(
    ledger,
    draft(key, '0.00', of({ commits: monthly, budgets: recurring })),
    reply('settled', { object: 's' }),
  )
  const asks = of({ approvalMs: 3_600_000, requestHash: 'request_1', ...words })
  for (const each of [asks, of({ approvalMs: 3_600_000, requestHash: 'request_2' })])
    await ledger.admit(draft(key, '60.00', each), refuse('approval_required'))
  const asked = await ledger.approvalFor(key.id, 'request_1')
  await ledger.decideApproval(asked!.id, 'approved', `${EMAIL} is known`, 'ada')
  await done(ledger, draft(key, '60.00', asks), reply('settled', { amount: dollars('58.00') }))
  const movement = { vendor: 'stripe', credentialId: kept.id, kind: 'invoice', direction: 'out', makes: [] } as const
  await ledger.moved(
    {
      ...movement,
      at: clock.at,
      externalId: 'in_1',
      amount: dollars('9.00'),
      origin: { callId: 'call_0000000001', keyId: key.id, run: 'run_1', object: 'pi_1' },
      why: null,
    },
    budgets,
  )
  await ledger.moved(
    { ...movement, at: clock.at, externalId: 'in_2', amount: dollars('3.00'), origin: null, why: 'Nobody knows it.' },
    [],
  )
  await ledger.admit(draft(key, '1.00', of()), allow)
  await ledger.flushed()
  await ledger.checkpoint(signer)
  await done(ledger, draft(key, '2.00', of({ quoted: ZERO })), reply('settled'))
  const doubtful = await done(ledger, draft(key, '6.00', of(words)), reply('assumed'))
  const known = { actor: 'ada', reason: `${EMAIL} has the receipt` }
  await ledger.resolve(doubtful, { ...reply('settled'), outcome: 'settled', amount: dollars('6.00') }, known)
  return key
}
