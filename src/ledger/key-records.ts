import type Database from 'better-sqlite3'
import { assert } from '../assert.js'
import type { KeyRecord, Page, Paged } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import { TextIndex } from './text-index.js'

/** What leads from a key to others. */
export interface Kin {
  readonly id: string
  readonly parentId: string | null
  readonly replaces: string | null
  /** Calls under way when it was revoked; null for a key that never was. */
  readonly inFlightAtRevoke: readonly string[] | null
}

/**
 * Every key, in the order in which they were made. Of a hundred thousand a few hundred may ever call, so a key stays the
 * text it was read as until it is first asked for: that takes little more than half the memory, and a third of the time. From
 * then on it is one and the same record until it is changed.
 */
export class KeyRecords {
  readonly #byId = new Map<string, Held>()
  readonly #byDigest = new Map<string, Held>()
  /** By place; null for a key that is still text. */
  readonly #held: (Held | null)[] = []
  readonly #leaves: Leaf[] = []
  readonly #ids = new TextIndex()
  readonly #digests = new TextIndex()
  readonly #same = new Same()
  /** The leaf that was read last: whoever goes through all keys asks for its others next. */
  #open: { readonly leaf: Leaf; readonly rows: readonly KeyRow[] } | null = null

  /**
   * Reads all there are, before anything else is done: until it returns, no key is found.
   *
   * @param meet told of every key that has a parent, was reissued from another or is revoked
   */
  read(db: Database.Database, meet: (kin: Kin) => void): void {
    const next = db.prepare(LEAF)
    for (let after = -1; ;) {
      const read = next.get({ after, most: LEAF_KEYS }) as ReadLeaf
      if (read.last === null) break
      after = read.last
      for (const id of parsed<string>(read.ids)) this.#ids.add(id)
      for (const digest of parsed<string>(read.digests)) this.#digests.add(digest)
      // What cannot be read is to be found now, and not when a key with it calls.
      for (const list of [...parsed<string>(read.narrowings), ...parsed<string>(read.credentials)]) parsed(list)
      parsed<number>(read.caps).forEach(capOf)
      for (const [id, parentId, replaces, inFlight] of parsed<KinRow>(read.kin))
        meet({ id, parentId, replaces, inFlightAtRevoke: inFlight === null ? null : parsed<string>(inFlight) })
      this.#leaves.push({ text: read.keys, unread: read.count })
      for (let i = 0; i < read.count; i++) this.#held.push(null)
    }
    this.#ids.close()
    this.#digests.close()
  }

  byId(id: string): KeyRecord | null {
    return (this.#byId.get(id) ?? this.#find(this.#ids, id, (key) => key.id))?.key ?? null
  }

  byDigest(digest: string): KeyRecord | null {
    return (this.#byDigest.get(digest) ?? this.#find(this.#digests, digest, (key) => key.digest))?.key ?? null
  }

  /** Newest first. The cursor is the last key of the page before, so keys added meanwhile shift nothing. */
  newest({ limit, cursor }: Page): Paged<KeyRecord> {
    const last = cursor === undefined || this.byId(cursor) === null ? null : this.#byId.get(cursor)!
    const end = last === null ? this.#held.length : this.#held.lastIndexOf(last)
    const start = Math.max(0, end - limit)
    const rows: KeyRecord[] = []
    for (let place = end - 1; place >= start; place--) rows.push((this.#held[place] ?? this.#take(place)).key)
    return { rows, next: start > 0 ? rows.at(-1)!.id : null }
  }

  add(key: KeyRecord): void {
    this.#hold({ key }, this.#held.length)
  }

  /** Puts a key in the place of what it was before. */
  replace(key: KeyRecord): void {
    const held = this.#byId.get(key.id)
    assert(held !== undefined, 'what a key is made of has been asked for before it is changed')
    held.key = key
  }

  /** The key with a text among those that are still text. */
  #find(index: TextIndex, text: string, textOf: (key: KeyRecord) => string): Held | null {
    for (const place of index.places(text)) {
      const held = this.#held[place] ?? this.#take(place)
      if (textOf(held.key) === text) return held
    }
    return null
  }

  #take(place: number): Held {
    const leaf = this.#leaves[Math.floor(place / LEAF_KEYS)]!
    if (this.#open?.leaf !== leaf) this.#open = { leaf, rows: parsed<KeyRow>(leaf.text!.toString()) }
    const held = { key: keyOf(this.#open.rows[place % LEAF_KEYS]!, this.#same) }
    this.#hold(held, place)
    // When all its keys are records nobody needs the text any more.
    if (--leaf.unread === 0) leaf.text = null
    return held
  }

  #hold(held: Held, place: number): void {
    this.#held[place] = held
    this.#byId.set(held.key.id, held)
    this.#byDigest.set(held.key.digest, held)
  }
}

interface Held {
  key: KeyRecord
}

/** Some keys that follow each other, as one text. */
interface Leaf {
  text: Buffer | null
  /** How many of them are not a record yet. */
  unread: number
}

/** All of a leaf is read for the first of its keys that is asked for, and again after another leaf: some 30 µs. */
const LEAF_KEYS = 50

// A value handed over by itself takes longer than reading it. So what is needed of every key at once comes as texts, and
// beside it the keys themselves, without names; one that is its own root does not say so again. They come as they lie in
// the table, by their numbers: to sort them once more would take as long as all the rest.
const LEAF = `select max(seq) as last, count(*) as count, json_group_array(id) as ids, json_group_array(digest) as digests,
    json_group_array(distinct narrowings) as narrowings, json_group_array(distinct credential_ids) as credentials,
    json_group_array(distinct run_cap) filter (where run_cap is not null) as caps,
    json_group_array(json_array(id, parent_id, replaces, revoke_in_flight))
      filter (where coalesce(parent_id, replaces, revoke_in_flight) is not null) as kin,
    cast(json_group_array(json_array(id, public_id, digest, last4, name, parent_id, nullif(root_id, id), policy_id,
      narrowings, credential_ids, run, run_cap, test, expires_at, created_at, revoked_at, revoke_reason, replaces)) as blob) as keys
  from keys
  where seq > :after
    and seq <= coalesce((select seq from keys where seq > :after order by seq limit 1 offset :most - 1), 9223372036854775807)`
interface ReadLeaf {
  readonly last: number | null
  readonly count: number
  readonly ids: string
  readonly digests: string
  readonly narrowings: string
  readonly credentials: string
  readonly caps: string
  readonly kin: string
  readonly keys: Buffer
}
type KinRow = readonly [id: string, parentId: string | null, replaces: string | null, inFlightAtRevoke: string | null]
type KeyRow = readonly [
  id: string,
  publicId: string,
  digest: string,
  last4: string,
  name: string,
  parentId: string | null,
  otherRoot: string | null,
  policyId: string,
  narrowings: string,
  credentialIds: string,
  run: string | null,
  runCap: number | null,
  test: number,
  expiresAt: number | null,
  createdAt: number,
  revokedAt: number | null,
  revokeReason: string | null,
  replaces: string | null,
]

const parsed = <T>(list: string): T[] => JSON.parse(list) as T[]
const capOf = (cap: number): Usd => usd(BigInt(cap))

/**
 * What many keys have in common is in memory once: by far most are issued under a few policies and for the same
 * credentials.
 */
class Same {
  readonly #texts = new Map<string, string>()
  readonly #lists = new Map<string, readonly unknown[]>()

  text(text: string): string {
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }

  list(json: string): readonly unknown[] {
    let known = this.#lists.get(json)
    if (known === undefined) this.#lists.set(json, (known = parsed(json)))
    return known
  }
}

function keyOf(row: KeyRow, same: Same): KeyRecord {
  const [id, publicId, digest, last4, name, parentId, otherRoot, policyId, narrowings, credentialIds, ...rest] = row
  const [run, runCap, test, expiresAt, createdAt, revokedAt, revokeReason, replaces] = rest
  return {
    id,
    publicId,
    digest,
    last4,
    name,
    parentId,
    rootId: otherRoot ?? id,
    policyId: same.text(policyId),
    narrowings: same.list(narrowings),
    credentialIds: same.list(credentialIds) as readonly string[],
    run,
    runCap: runCap === null ? null : capOf(runCap),
    test: test === 1,
    expiresAt,
    createdAt,
    revokedAt,
    revokeReason,
    lastUsedAt: null,
    ...(replaces === null ? {} : { replaces }),
  }
}
