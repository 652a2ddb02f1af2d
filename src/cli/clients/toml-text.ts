import { TextFault } from './json-text.js'

/** One line of meaning in a TOML file: a table header, or a key with its value. */
export interface Statement {
  readonly kind: 'header' | 'pair'
  /** From the root, the table included. */
  readonly path: readonly string[]
  /** Names of the table that was open. */
  readonly table: readonly string[]
  /** Whole lines, the line break included. */
  readonly start: number
  readonly end: number
  /** Texts, lists and inline tables of texts; anything else is undefined and stays as it is. */
  readonly value: unknown
  /** Where the value of a pair is written. */
  readonly valueStart: number
  readonly valueEnd: number
  /** An element of an array of tables. */
  readonly repeated: boolean
}

const BLANK = /[ \t]*/y
const GAP = /(?:[\s]|#[^\n]*)*/y
const KEY = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y
const LONG = /"""[\s\S]*?(?<!\\)"""|'''[\s\S]*?'''/y
const SHORT = /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y
const BARE = /[^,\]}#\n\r]+/y
const LINE_END = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y

/** As much of TOML 1.0 as is needed to find tables, keys and texts in it. @throws TextFault where that fails */
export function parseTomlText(text: string): readonly Statement[] {
  const statements: Statement[] = []
  let at = 0
  let table: readonly string[] = []
  const fault = (what: string): TextFault => new TextFault(`line ${text.slice(0, at).split('\n').length}: ${what}`)
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) return null
    at += found[0].length
    return found[0]
  }
  const taken = (word: string): boolean => {
    if (!text.startsWith(word, at)) return false
    at += word.length
    return true
  }
  const need = (word: string): void => {
    if (!taken(word)) throw fault(`${word} was expected`)
  }
  const key = (): string[] => {
    const names: string[] = []
    do {
      match(BLANK)
      const raw = match(KEY)
      if (raw === null) throw fault('a key was expected')
      names.push(unquoted(raw, fault))
      match(BLANK)
    } while (taken('.'))
    return names
  }
  const value = (): unknown => {
    const long = match(LONG)
    if (long !== null) return undefined
    const short = match(SHORT)
    if (short !== null) return unquoted(short, fault)
    if (taken('[')) {
      const items: unknown[] = []
      for (match(GAP); !taken(']'); match(GAP)) {
        items.push(value())
        match(GAP)
        if (!taken(',')) {
          match(GAP)
          need(']')
          break
        }
      }
      return items
    }
    if (taken('{')) {
      const members: [string, unknown][] = []
      for (match(GAP); !taken('}'); match(GAP)) {
        const name = key().join('.')
        need('=')
        match(BLANK)
        members.push([name, value()])
        match(GAP)
        if (!taken(',')) {
          need('}')
          break
        }
      }
      return Object.fromEntries(members)
    }
    const bare = match(BARE)?.trim()
    if (!bare) throw fault('a value was expected')
    return bare === 'true' ? true : bare === 'false' ? false : undefined
  }
  for (match(GAP); at < text.length; match(GAP)) {
    const start = text.lastIndexOf('\n', at - 1) + 1
    if (taken('[')) {
      const repeated = taken('[')
      table = key()
      need(repeated ? ']]' : ']')
      if (match(LINE_END) === null) throw fault('something stands after the header')
      statements.push({
        kind: 'header',
        path: table,
        table,
        start,
        end: at,
        value: undefined,
        valueStart: at,
        valueEnd: at,
        repeated,
      })
      continue
    }
    const path = [...table, ...key()]
    need('=')
    match(BLANK)
    const valueStart = at
    const found = value()
    const valueEnd = valueStart + text.slice(valueStart, at).trimEnd().length
    if (match(LINE_END) === null) throw fault('something stands after the value')
    statements.push({ kind: 'pair', path, table, start, end: at, value: found, valueStart, valueEnd, repeated: false })
  }
  return statements
}

function unquoted(raw: string, fault: (what: string) => TextFault): string {
  if (raw.startsWith("'")) return raw.slice(1, -1)
  if (!raw.startsWith('"')) return raw
  try {
    // TOML has one short escape that JSON lacks, and one long one.
    const escapes = raw.replace(/\\U([0-9A-Fa-f]{8})/g, (_, hex: string) =>
      JSON.stringify(String.fromCodePoint(Number.parseInt(hex, 16))).slice(1, -1),
    )
    return JSON.parse(escapes.replaceAll('\\e', '\\u001b').replaceAll('\t', '\\t')) as string
  } catch {
    throw fault('a text holds an escape that is not understood')
  }
}

/** A value as TOML writes it: a text, a list of texts, or an inline table of texts. */
export function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, part]) => `${tomlKey(name)} = ${tomlValue(part)}`)
      .join(', ')} }`
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f')
}

export const tomlKey = (name: string): string => (/^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name))
