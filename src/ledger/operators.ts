import type { Clock } from '../contracts/clock.js'
import { LedgerConflict, type Ledger } from '../contracts/ledger.js'
import type { OperatorRecord, Principal, Role } from '../contracts/operator.js'
import { randomBase62 } from '../custody/base62.js'
import type { KeyDigest } from '../custody/keys.js'
import { Secret } from '../custody/secret.js'
import { newSalt } from './chain.js'
import type { Subject } from './erasure.js'
import { newId } from './ids.js'

const TOKEN_PREFIX = 'sgop_'
const OPERATORS_MAX = 2_000

export interface NewOperator {
  readonly name: string
  readonly role: Role
  /** Epoch ms; null: until it is revoked. */
  readonly expiresAt: number | null
}

/** A person as an OpenID provider knows them. */
export interface Person {
  /** Issuer and the issuer's own id of the person, which never change. */
  readonly issuer: string
  readonly subject: string
  readonly name: string
  readonly role: Role
}

/**
 * Who may act beside the holder of the admin token. Each is a setting of the ledger, `operator.1`, `operator.2` and so on:
 * in memory on every node, in force everywhere before a change is answered, and in the chain by a digest, since the name
 * may have to be erased (docs/decisions/0026-operators.md). A number is taken by whoever puts it first, so two nodes that
 * add somebody at the same moment add two; and it is never given up, so that entries go on saying who it was.
 */
export class Operators {
  readonly #ledger: Pick<Ledger, 'setting' | 'settingOnce' | 'putSetting'>
  readonly #digest: KeyDigest
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()

  constructor(ledger: Pick<Ledger, 'setting' | 'settingOnce' | 'putSetting'>, digest: KeyDigest, clock: Clock) {
    this.#ledger = ledger
    this.#digest = digest
    this.#clock = clock
  }

  /** In the order in which they came. */
  list(): readonly OperatorRecord[] {
    return [...this.#slots()].map(({ record }) => record)
  }

  find(id: string): OperatorRecord | null {
    return this.#slot(id)?.record ?? null
  }

  /** Whom a token is of; `ended` when it is theirs no more. Found by a keyed digest, so the search tells nothing of it. */
  byToken(token: string): Principal | 'ended' | null {
    if (!token.startsWith(TOKEN_PREFIX)) return null
    const digest = this.#digest.of(token)
    const found = this.list().find((record) => record.kind === 'token' && record.digest === digest)
    if (found === undefined) return null
    return this.isLiving(found) ? this.#principal(found) : 'ended'
  }

  /**
   * Adds somebody with a token of their own, which exists here and nowhere else.
   *
   * @throws LedgerConflict when a living operator has the name, or there are too many
   */
  add(wish: NewOperator, actor: string): Promise<{ readonly record: OperatorRecord; readonly token: Secret }> {
    return this.#inTurn(() => this.#add(wish, actor))
  }

  async #add(
    { name, role, expiresAt }: NewOperator,
    actor: string,
  ): Promise<{ readonly record: OperatorRecord; readonly token: Secret }> {
    if (this.list().some((each) => each.kind === 'token' && each.name === name && this.isLiving(each)))
      throw new LedgerConflict(`An operator named ${name} exists. Revoke it first, or choose another name.`)
    const token = new Secret(TOKEN_PREFIX + randomBase62(43))
    const record = this.#made({ kind: 'token', name, role, digest: this.#digest.of(token.reveal()), expiresAt }, actor)
    await this.#place(record, actor)
    return { record, token }
  }

  /**
   * Lets a person in whom the provider has just vouched for, and notes what is new about them. Null when the person was
   * revoked: the provider's word does not undo that.
   */
  enter(person: Person): Promise<Principal | null> {
    return this.#inTurn(() => this.#enter(person))
  }

  async #enter({ issuer, subject, name, role }: Person): Promise<Principal | null> {
    const digest = this.#digest.of(`oidc\n${issuer}\n${subject}`)
    let known = [...this.#slots()].find(({ record }) => record.kind === 'person' && record.digest === digest)
    if (known === undefined) {
      const id = newId('opr')
      const record = { ...this.#made({ kind: 'person', name, role, digest, expiresAt: null }, id), id }
      known = await this.#place(record, id)
    }
    const { record } = known
    if (record.revokedAt !== null) return null
    if (record.name === name && record.role === role) return this.#principal(record)
    return this.#principal(await this.#put(known, { name, role }, record.id))
  }

  /** From the moment this resolves nothing is done in their name, on any node. Again: nothing happens. Null when there is no such operator. */
  revoke(id: string, actor: string): Promise<OperatorRecord | null> {
    return this.#inTurn(async () => {
      const found = this.#slot(id)
      if (found === null || found.record.revokedAt !== null) return found?.record ?? null
      return this.#put(found, { revokedAt: this.#clock.now() }, actor)
    })
  }

  /**
   * Takes back that a person was revoked: they may sign in again if the provider vouches for them.
   *
   * @throws LedgerConflict for a token, which may be in other hands by now
   */
  readmit(id: string, actor: string): Promise<OperatorRecord | null> {
    return this.#inTurn(async () => {
      const found = this.#slot(id)
      if (found === null) return null
      if (found.record.kind === 'token')
        throw new LedgerConflict(`${id} is known by a token, and a revoked token stays so. Add the operator anew.`)
      return found.record.revokedAt === null ? found.record : this.#put(found, { revokedAt: null }, actor)
    })
  }

  /** Takes a person's address out of the names of those who can act no more. Sentences for what had to stay. */
  erase(subject: Subject, actor: string): Promise<{ readonly rows: number; readonly kept: readonly string[] }> {
    return this.#inTurn(() => this.#erase(subject, actor))
  }

  async #erase(subject: Subject, actor: string): Promise<{ readonly rows: number; readonly kept: readonly string[] }> {
    const named = [...this.#slots()].filter(({ record: { name } }) => name !== null && subject.within(name) !== name)
    const gone = named.filter(({ record }) => !this.isLiving(record))
    for (const each of gone) await this.#put(each, { name: null }, actor)
    const kept = named
      .filter(({ record }) => this.isLiving(record))
      .map(({ record: { id } }) => `The operator ${id} may still act: revoke it first.`)
    return { rows: gone.length, kept }
  }

  isLiving({ revokedAt, expiresAt }: OperatorRecord): boolean {
    // By whatever clock is ahead: what ends in time has ended.
    const now = this.#clock.latest?.() ?? this.#clock.now()
    return revokedAt === null && (expiresAt === null || now < expiresAt)
  }

  /** An actor of the entries as people know it. What is no operator's, and whose name was erased, stays as it is. */
  knownAs(actor: string): string {
    const found = actor.startsWith('opr_') ? this.find(actor) : null
    return found?.name == null ? actor : `${found.kind === 'token' ? 'operator' : 'oidc'}:${found.name}`
  }

  #principal({ id, role }: OperatorRecord): Principal {
    return {
      actor: id,
      role,
      name: this.knownAs(id),
      stands: () => {
        const now = this.find(id)
        return now !== null && this.isLiving(now) && now.role === role
      },
    }
  }

  #made(given: Omit<OperatorRecord, 'id' | 'createdAt' | 'createdBy' | 'revokedAt'>, actor: string): OperatorRecord {
    return { id: newId('opr'), ...given, createdAt: this.#clock.now(), createdBy: actor, revokedAt: null }
  }

  *#slots(): Generator<Slot> {
    for (let number = 1; ; number++) {
      const record = this.#ledger.setting(settingOf(number)) as OperatorRecord | undefined
      if (record === undefined) return
      yield { number, record }
    }
  }

  #slot(id: string): Slot | null {
    for (const slot of this.#slots()) if (slot.record.id === id) return slot
    return null
  }

  /** Where it is now; or, where another node was first with the same person, what that one has put. */
  async #place(record: OperatorRecord, actor: string): Promise<Slot> {
    for (let number = this.list().length + 1; number <= OPERATORS_MAX; number++) {
      const there = (await this.#ledger.settingOnce(settingOf(number), salted(record), actor)) as OperatorRecord
      if (there.digest === record.digest) return { number, record: there }
    }
    throw new LedgerConflict(`There have been ${OPERATORS_MAX} operators, which is as many as a ledger holds.`)
  }

  /**
   * One change after another: each rests on what the one before has left. Side by side, a sign-in that notes a new name
   * would put back what it had read before somebody was revoked.
   */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #put({ number, record }: Slot, changes: Partial<OperatorRecord>, actor: string): Promise<OperatorRecord> {
    const changed = { ...record, ...changes }
    await this.#ledger.putSetting(settingOf(number), salted(changed), actor)
    return changed
  }
}

interface Slot {
  readonly number: number
  readonly record: OperatorRecord
}

const PREFIX = 'operator.'
const settingOf = (number: number): string => `${PREFIX}${number}`

/** What an entry may say of a setting that is an operator's: who may what, and no name. Null for any other. */
export function operatorInSetting(name: string, value: unknown): object | null {
  if (!name.startsWith(PREFIX)) return null
  const { id, role, revokedAt } = value as OperatorRecord
  return { operator: id, role, revoked: revokedAt !== null }
}

/** The entry has a digest of it: nobody is to find a name out by trying. */
const salted = (record: OperatorRecord): object => ({ ...record, salt: newSalt() })
