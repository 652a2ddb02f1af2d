import type { Json } from '../contracts/vendor.js'
import type { ParseFault } from './form.js'

const DEPTH_MAX = 32
const FORBIDDEN = new Set(['__proto__', 'prototype', 'constructor'])

/**
 * Parses JSON (RFC 8259) strictly. Refused beside what the grammar refuses: duplicate names (49 parsers disagree on
 * which one counts), numbers that are not integers within ±2^53, lone surrogates, NUL, a byte-order mark, nesting
 * deeper than 32, and the names JavaScript gives a meaning (`__proto__`). `JSON.stringify` of the result is the
 * canonical text.
 *
 * @param decimals takes numbers with a fraction, too, of at most 15 digits, which every parser reads alike. Money is
 * never one: only for APIs of whose numbers nobody here makes an amount
 */
export function parseJson(text: string, decimals = false): { readonly value: Json } | ParseFault {
  const reader = new Reader(text, decimals)
  try {
    return { value: reader.document() }
  } catch (fault) {
    if (fault instanceof JsonFault) return { code: fault.code, message: fault.message }
    throw fault
  }
}

/** Leaves the recursive descent at once; never seen outside this file. */
class JsonFault extends Error {
  constructor(
    readonly code: ParseFault['code'],
    message: string,
  ) {
    super(message)
  }
}

class Reader {
  #at = 0
  readonly #text: string
  readonly #decimals: boolean

  constructor(text: string, decimals: boolean) {
    this.#text = text
    this.#decimals = decimals
  }

  document(): Json {
    this.#space()
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#malformed('text after the end')
    return value
  }

  #value(depth: number): Json {
    if (depth > DEPTH_MAX) this.#malformed(`nesting deeper than ${DEPTH_MAX}`)
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #object(depth: number): Json {
    const object: Record<string, Json> = {}
    this.#at++
    this.#space()
    if (this.#take('}')) return object
    for (;;) {
      if (this.#text[this.#at] !== '"') this.#malformed('a name was expected')
      const name = this.#string()
      if (FORBIDDEN.has(name)) this.#malformed(`«${name}» is not accepted as a name`)
      if (Object.hasOwn(object, name))
        throw new JsonFault('request_ambiguous', `The JSON body holds the name «${printable(name)}» more than once.`)
      this.#space()
      if (!this.#take(':')) this.#malformed('a colon was expected')
      this.#space()
      object[name] = this.#value(depth + 1)
      this.#space()
      if (this.#take('}')) return object
      if (!this.#take(',')) this.#malformed('a comma or closing brace was expected')
      this.#space()
    }
  }

  #array(depth: number): Json {
    const array: Json[] = []
    this.#at++
    this.#space()
    if (this.#take(']')) return array
    for (;;) {
      array.push(this.#value(depth + 1))
      this.#space()
      if (this.#take(']')) return array
      if (!this.#take(',')) this.#malformed('a comma or closing bracket was expected')
      this.#space()
    }
  }

  #string(): string {
    const start = this.#at
    let end = behind(RUN, this.#text, start + 1)
    const plain = this.#text.charCodeAt(end) === 0x22
    while (this.#text.charCodeAt(end) !== 0x22) {
      end = behind(ESCAPE_AND_RUN, this.#text, end)
      if (end === 0) this.#noString()
    }
    this.#at = end + 1
    const token = this.#text.slice(start, this.#at)
    const value = plain ? token.slice(1, -1) : (JSON.parse(token) as string)
    if (!value.isWellFormed()) this.#malformed('a string holds half a surrogate pair')
    if (value.includes('\u0000')) this.#malformed('a string holds NUL')
    return value
  }

  /** Says what is wrong with a string that begins here. */
  #noString(): never {
    for (this.#at++; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (Number.isNaN(code)) this.#malformed('a string does not end')
      if (code < 0x20) this.#malformed('a control character stands in a string')
      if (code === 0x5c) this.#at++
      if (code === 0x22) break
    }
    this.#at++
    return this.#malformed('an escape in a string is not valid')
  }

  #number(): number {
    const found = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/.exec(
      this.#text.slice(this.#at, this.#at + 40),
    )
    if (!found) this.#malformed('a value was expected')
    const value = Number(found[0])
    if (this.#decimals && isPlainDecimal(found[0], value)) {
      this.#at += found[0].length
      return value
    }
    if (!/^-?[0-9]+$/.test(found[0]) || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#malformed(`the number ${found[0]} is not an integer within 2^53`)
    }
    this.#at += found[0].length
    return value
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#malformed('a value was expected')
    this.#at += word.length
    return value
  }

  #space(): void {
    while (this.#at < this.#text.length && ' \t\n\r'.includes(this.#text[this.#at]!)) this.#at++
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #malformed(what: string): never {
    throw new JsonFault('request_malformed', `The JSON body is not valid at character ${this.#at}: ${what}.`)
  }
}

/** What stands for itself in a string. Texts of mails are long, and this passes over them five times as fast as a loop here would. */
const RUN = /[^"\\\u0000-\u001f]*/y
const ESCAPE_AND_RUN = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\u0000-\u001f]*/y

/** Where what the pattern matches at a place ends; 0 when it does not match there. */
function behind(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : 0
}

/** A fraction that survives being read and written again. */
const isPlainDecimal = (text: string, value: number): boolean =>
  /[.eE]/.test(text) &&
  text
    .replace(/[eE].*$/, '')
    .replace(/[^0-9]/g, '')
    .replace(/^0+/, '').length <= 15 &&
  Math.abs(value) <= Number.MAX_SAFE_INTEGER &&
  !Object.is(value, -0) &&
  (value !== 0 || !/[1-9]/.test(text.replace(/[eE].*$/, '')))

const printable = (text: string): string =>
  (text.length > 60 ? `${text.slice(0, 60)}…` : text).replace(/[^\x20-\x7e]/g, '?')
