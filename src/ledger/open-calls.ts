import type { CallState } from '../contracts/call.js'
import { Passing } from './passing.js'
import type { Tally } from './tallies.js'

/** What is known of a call between its admission and its outcome. */
type Known = Omit<OpenCall, 'elsewhere'>

/** A call between its admission and its outcome. A class, so that all of them are of one shape whoever makes them. */
export class OpenCall implements Tally {
  readonly at: number
  readonly keyId: string
  readonly rootId: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
  readonly seq: number
  readonly reserved: bigint
  readonly counters: readonly number[]
  readonly credentialId: string | null
  readonly object: string | null
  readonly replayOf: number | null
  /** Whether it may have made something happen later: a row of `commitments` then says what. */
  readonly commits: boolean
  /** The vendor objects it acts on, while it is under way. */
  readonly actsOn: readonly string[]
  state: CallState
  dispatched: boolean
  /** Another call on the same object was under way at the same time: which of the two the vendor did first is not known. */
  overlapped: boolean
  /** Another node sends it; here it is known for what it overlaps with. */
  readonly elsewhere: boolean

  constructor(known: Known, elsewhere = false) {
    this.at = known.at
    this.keyId = known.keyId
    this.rootId = known.rootId
    this.run = known.run
    this.vendor = known.vendor
    this.operation = known.operation
    this.seq = known.seq
    this.reserved = known.reserved
    this.counters = known.counters
    this.credentialId = known.credentialId
    this.object = known.object
    this.replayOf = known.replayOf
    this.commits = known.commits
    this.actsOn = known.actsOn
    this.state = known.state
    this.dispatched = known.dispatched
    this.overlapped = known.overlapped
    this.elsewhere = elsewhere
  }
}

/** The calls under way, in the order of their admission, and which of them are on the same vendor object. */
export class OpenCalls {
  readonly #calls = new Passing<number, OpenCall>()
  readonly #onObject = new Passing<string, Set<OpenCall>>()
  readonly #onChange: (call: OpenCall) => void

  /** @param onChange told of calls that come in, and of those found to overlap with one */
  constructor(onChange: (call: OpenCall) => void = () => undefined) {
    this.#onChange = onChange
  }

  get(seq: number): OpenCall | undefined {
    return this.#calls.get(seq)
  }

  all(): IterableIterator<OpenCall> {
    return this.#calls.values()
  }

  /** No call before this one is under way; null when none is at all. */
  oldest(): number | null {
    for (const seq of this.#calls.keys()) return seq
    return null
  }

  add(call: OpenCall): void {
    this.#calls.set(call.seq, call)
    this.#onChange(call)
    for (const object of call.actsOn) {
      const name = nameOf(call, object)
      const others = this.#onObject.get(name)
      if (others === undefined) {
        this.#onObject.set(name, new Set([call]))
        continue
      }
      // One that this very commit has settled was answered before this call could leave, and is still in the set.
      for (const other of others) {
        if (other.state !== 'reserved') continue
        other.overlapped = call.overlapped = true
        this.#onChange(other)
      }
      others.add(call)
    }
  }

  /** Calls that other nodes send: what is known of them is as old as the last look at the tables. */
  forgetElsewhere(): void {
    for (const call of this.#calls.values()) if (call.elsewhere) this.delete(call.seq)
  }

  delete(seq: number): void {
    const call = this.#calls.get(seq)
    this.#calls.delete(seq)
    for (const object of call?.actsOn ?? []) {
      const name = nameOf(call!, object)
      const others = this.#onObject.get(name)
      others?.delete(call!)
      if (others?.size === 0) this.#onObject.delete(name)
    }
  }
}

const nameOf = (call: OpenCall, object: string): string => `${call.credentialId}\n${object}`
