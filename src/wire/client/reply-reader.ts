import { ENOUGH, type Asker } from './asker.js'
import { areTrailers, readableUntil, readHead, type Framing } from './reply-head.js'

/** What came of some bytes: `BROKEN` has its reason in `fault`, and after `SATISFIED` the rest is not wanted. */
export const WAITING = 0
export const WHOLE = 1
export const SATISFIED = 2
export const BROKEN = 3
export type Progress = typeof WAITING | typeof WHOLE | typeof SATISFIED | typeof BROKEN

const IN_HEAD = 0
const IN_LENGTH = 1
const TO_CLOSE = 2
const AT_CHUNK = 3
const IN_CHUNK = 4
const AFTER_CHUNK = 5
const IN_TRAILERS = 6
type Step =
  | typeof IN_HEAD
  | typeof IN_LENGTH
  | typeof TO_CLOSE
  | typeof AT_CHUNK
  | typeof IN_CHUNK
  | typeof AFTER_CHUNK
  | typeof IN_TRAILERS

const LF = 10
const HEAD_BYTES_MAX = 16 * 1024
const INTERIM_MAX = 16
/** Of a line between chunks, and of all that is said there beside sizes. */
const LINE_BYTES_MAX = 1024
const BESIDE_BYTES_MAX = 16 * 1024

const TOKEN = String.raw`[!#$%&'*+\-.^_\`|~0-9A-Za-z]+`
const QUOTED = String.raw`"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"`
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]{1,8})((?:;${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*)$`)

/**
 * Reads the replies of one connection, one after the other, from bytes as they come (RFC 9112). It has one reading for
 * everything it accepts and refuses the rest: a reply that somebody on the way may have understood otherwise says nothing
 * about money.
 */
export class ReplyReader {
  fault = ''
  staysOpen = false
  keepAliveMs = -1
  /** Whether something came that the time-out is for: a head, or a piece of a body. Taken back by who looks. */
  advanced = false
  #asker: Asker | null = null
  #step: Step = IN_HEAD
  /** Text of a head or a line that is not complete. */
  #held = ''
  /** Of the held text: what has been found to be lines of a head. */
  #readable = 0
  #left = 0
  #beside = 0
  #interim = 0

  begin(asker: Asker): void {
    this.#asker = asker
    this.#step = IN_HEAD
    this.#beside = 0
    this.#interim = 0
    this.advanced = false
  }

  /** Whether the head has come. */
  get headed(): boolean {
    return this.#step !== IN_HEAD
  }

  take(bytes: Buffer, length: number): Progress {
    let at = 0
    for (;;) {
      switch (this.#step) {
        case IN_HEAD: {
          const heldLength = this.#held.length
          const text = this.#held + bytes.toString('latin1', at, Math.min(length, at + HEAD_BYTES_MAX - heldLength))
          const end = text.indexOf('\r\n\r\n', Math.max(0, heldLength - 3))
          if (end < 0) return this.#hold(text)
          at += end + 4 - heldLength
          this.#held = ''
          this.#readable = 0
          const framing = this.#head(text, end + 2)
          if (framing === null) return BROKEN
          if (framing === 'interim') break
          if (framing === 'none') return this.#ended(at, length)
          this.#step = STEPS[framing]
          break
        }
        case IN_LENGTH:
        case IN_CHUNK:
        case TO_CLOSE: {
          const to = this.#step === TO_CLOSE ? length : Math.min(length, at + this.#left)
          if (to === at) return WAITING
          this.advanced = true
          const verdict = this.#asker!.onPiece(bytes, at, to)
          if (verdict !== null) return verdict === ENOUGH ? SATISFIED : this.#broken(verdict)
          this.#left -= to - at
          at = to
          if (this.#step === TO_CLOSE || this.#left > 0) return WAITING
          if (this.#step === IN_LENGTH) return this.#ended(at, length)
          this.#step = AFTER_CHUNK
          break
        }
        default: {
          // Between chunks everything is a line, and after a chunk it is an empty one.
          const lf = bytes.indexOf(LF, at)
          const ends = lf >= 0 && lf < length
          const to = ends ? lf + 1 : length
          if (this.#held.length + to - at > LINE_BYTES_MAX)
            return this.#broken(`A line between its chunks is longer than ${LINE_BYTES_MAX} bytes.`)
          const line = this.#held + bytes.toString('latin1', at, to)
          this.#held = ends ? '' : line
          if (!ends) return WAITING
          if (!line.endsWith('\r\n')) return this.#broken('A line between its chunks does not end as it should.')
          at = to
          const said = this.#line(line.slice(0, -2))
          if (said === 'end') return this.#ended(at, length)
          if (said !== null) return this.#broken(said)
        }
      }
    }
  }

  /** Whether the reply is whole now that the connection was closed in order. */
  get endsHere(): boolean {
    return this.#step === TO_CLOSE
  }

  /** A head that has not come whole is refused as soon as it can be told that it never will be one. */
  #hold(text: string): Progress {
    if (text.length >= HEAD_BYTES_MAX) return this.#broken(`Its head is larger than ${HEAD_BYTES_MAX} bytes.`)
    this.#readable = readableUntil(text, this.#readable)
    if (this.#readable < 0) return this.#broken('Its head is none of HTTP/1.1.')
    this.#held = text
    return WAITING
  }

  #head(text: string, end: number): Framing | 'interim' | null {
    const asker = this.#asker!
    const head = readHead(text, end, asker.outgoing.bodiless)
    if (typeof head === 'string') {
      this.#broken(head)
      return null
    }
    const { status } = head
    this.advanced = true
    if (status < 200) {
      // We asked neither to be told to go on (100) nor for another protocol (101); nor can one be the last word.
      if (status > 101 && head.staysOpen && ++this.#interim <= INTERIM_MAX) return 'interim'
      this.#broken(`It begins with a ${status} that was not asked for.`)
      return null
    }
    this.#left = head.length
    this.staysOpen = head.staysOpen
    this.keepAliveMs = head.keepAliveMs
    asker.onHead(status, head.headers)
    return head.framing
  }

  /** Goes on by what a line between chunks says. @returns `end` after the last one; why it is refused, in a sentence */
  #line(line: string): string | null {
    switch (this.#step) {
      case AFTER_CHUNK:
        if (line !== '') return 'A chunk is longer than its size.'
        this.#step = AT_CHUNK
        return null
      case AT_CHUNK: {
        const [, size, extensions] = CHUNK_LINE.exec(line) ?? []
        if (size === undefined) return 'A chunk has no size.'
        this.#beside += extensions!.length
        this.#left = Number.parseInt(size, 16)
        this.#step = this.#left > 0 ? IN_CHUNK : IN_TRAILERS
        break
      }
      default:
        if (line === '') return 'end'
        if (!areTrailers(`${line}\r\n`)) return 'A line after its chunks is no header.'
        this.#beside += line.length
    }
    return this.#beside > BESIDE_BYTES_MAX ? `It says more than ${BESIDE_BYTES_MAX} bytes beside its chunks.` : null
  }

  /** What follows was not asked for, and would be the next request's reply: none may be sent on the connection. */
  #ended(at: number, length: number): Progress {
    if (at < length) this.staysOpen = false
    return WHOLE
  }

  #broken(fault: string): typeof BROKEN {
    this.fault = fault
    return BROKEN
  }
}

const STEPS = { length: IN_LENGTH, chunks: AT_CHUNK, close: TO_CLOSE } as const
