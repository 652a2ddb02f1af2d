import type { CST, Document, Node } from 'yaml'
import { formatUsd, parseUsd } from '../src/contracts/money.js'
import { yaml } from './yaml.js'

/** Something wrong at a place in a document, before the place is looked up in the text. */
export interface Finding {
  readonly path: string
  /** Whether the key or the value is at fault. */
  readonly about: 'key' | 'value'
  readonly message: string
}

/** A document's text as plain JSON that remembers where each part stood. */
export interface Source {
  readonly value: unknown
  readonly findings: readonly Finding[]
  /** `7:3`, line and column, both from 1; the nearest part around the path when the path itself is not in the text. */
  place(path: string, about: 'key' | 'value'): string
}

const TEXT_BYTES_MAX = 256 * 1024
const DEPTH_MAX = 16
/** Aliases are followed, so this bounds what a small text can unfold to. */
const NODES_MAX = 40_000
const ALIASES_MAX = 100
const ERRORS_SHOWN_MAX = 10

/**
 * Reads YAML or JSON (which is YAML 1.2) without losing what a plain parse forgets: places, keys that stand twice,
 * and how a number was written. `50.00` and `5e1` are floats to every parser downstream, so they stop here.
 */
export function readSource(text: string): Source {
  const rejected = (message: string): Source => ({
    value: null,
    findings: [{ path: '', about: 'value', message }],
    place: () => '1:1',
  })
  if (Buffer.byteLength(text) > TEXT_BYTES_MAX) return rejected('the document is over the limit of 256 KiB')
  // The composer recurses, and deep nesting aborts the process inside V8 (yaml 2.9.1, Node 20.20.2, 2026-11-21):
  // measure first.
  if (deeperThan(DEPTH_MAX * 2, text)) return rejected(`the document is nested deeper than ${DEPTH_MAX} levels`)

  const { LineCounter, parseDocument } = yaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', schema: 'core' })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    const places = faults.map((fault) => at(fault.pos[0]))
    const findings = faults.slice(0, ERRORS_SHOWN_MAX).map((fault, index): Finding => ({
      path: `#${index}`,
      about: 'value',
      message: syntaxFault(fault.code, fault.message, text, fault.pos),
    }))
    return { value: null, findings, place: (path) => places[Number(path.slice(1))] ?? '1:1' }
  }
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    return rejected('only YAML 1.2 is read: remove the %YAML directive')
  }

  const reading = new Reading(document)
  const unfolded = reading.read(document.contents, '', 0)
  const value = reading.stopped ? null : unfolded
  const place = (path: string, about: 'key' | 'value'): string => {
    for (let near = path; ; near = near.slice(0, Math.max(near.lastIndexOf('.'), near.lastIndexOf('['), 0))) {
      const offset = (near === path && about === 'key' ? reading.keys.get(near) : undefined) ?? reading.values.get(near)
      if (offset !== undefined) return at(offset)
      if (near === '') return '1:1'
    }
  }
  return { value, findings: reading.findings, place }
}

class Reading {
  readonly keys = new Map<string, number>()
  readonly values = new Map<string, number>()
  readonly findings: Finding[] = []
  stopped = false
  private nodes = 0
  private aliases = 0
  private readonly document: Document

  constructor(document: Document) {
    this.document = document
  }

  read(node: unknown, path: string, depth: number): unknown {
    const { isAlias, isMap, isScalar, isSeq } = yaml()
    this.nodes += 1
    if (this.stopped) return null
    if (this.nodes > NODES_MAX) return this.stop('the document unfolds to more parts than a policy may have')
    if (depth > DEPTH_MAX) return this.stop(`the document is nested deeper than ${DEPTH_MAX} levels`)
    const range = (node as Node | null)?.range
    if (range && !this.values.has(path)) this.values.set(path, range[0])
    if (isAlias(node)) {
      this.aliases += 1
      if (this.aliases > ALIASES_MAX) return this.stop(`the document has more than ${ALIASES_MAX} aliases`)
      return this.read(node.resolve(this.document), path, depth + 1)
    }
    if (isMap(node)) return this.map(node.items, path, depth)
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, `${path}[${index}]`, depth + 1))
    if (!isScalar(node)) return null
    if (typeof node.value === 'number') this.number(node.source ?? String(node.value), node.value, path)
    return node.value
  }

  private map(items: readonly { key: unknown; value: unknown }[], path: string, depth: number): unknown {
    const { isScalar } = yaml()
    const entries: [string, unknown][] = []
    for (const { key, value } of items) {
      const name = isScalar(key) ? key.value : null
      if (typeof name !== 'string' || name === '__proto__') {
        const shown = isScalar(key) ? `"${String(key.value)}"` : 'this key'
        this.findings.push({ path, about: 'value', message: `${shown} cannot be a key here: keys are plain words` })
        continue
      }
      const inner = path === '' ? name : `${path}.${name}`
      if (isScalar(key) && key.range) this.keys.set(inner, key.range[0])
      if (value === null && isScalar(key) && key.range) this.values.set(inner, key.range[0])
      entries.push([name, this.read(value, inner, depth + 1)])
    }
    return Object.fromEntries(entries)
  }

  /** Numbers survive only as plain whole numbers: no fraction, exponent, sign, base or leading zero. */
  private number(source: string, value: number, path: string): void {
    if (/^(0|[1-9][0-9]{0,11})$/.test(source)) return
    if (/_usd$/.test(path)) {
      this.findings.push({ path, about: 'value', message: floatFault(source, value < 0) })
    } else {
      this.findings.push({
        path,
        about: 'value',
        message: `${source} is not a plain whole number. If it is text, write "${source}"`,
      })
    }
  }

  private stop(message: string): null {
    // The first limit says enough; whatever else a cut-off document lacks would only mislead.
    if (!this.stopped) this.findings.splice(0, Infinity, { path: '', about: 'value', message })
    this.stopped = true
    return null
  }
}

/** What is wrong with an amount that was written as a number, and how to write it. */
export function floatFault(source: string, negative: boolean): string {
  if (negative) return `${source} is negative: an amount is zero or more`
  const amount = parseUsd(source)
  return amount === null
    ? `${source} is not an amount: write decimal text such as "50.00"`
    : `${source} is a float. Money is quoted text: write "${formatUsd(amount)}"`
}

/** Where a map repeats a key, the position is that of the repetition. */
function syntaxFault(code: string, message: string, text: string, pos: readonly [number, number]): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here: one file holds one policy'
  if (code !== 'DUPLICATE_KEY') return `not valid YAML: ${message}`
  const key = /^["']?([^"':\s,}\]]{1,64})/.exec(text.slice(pos[0], pos[0] + 80))?.[1]
  return key === undefined ? 'a key stands twice here' : `the key "${key}" stands twice here`
}

/** Whether any node lies deeper. Walks tokens with a stack of its own, because the text is not trusted yet. */
function deeperThan(limit: number, text: string): boolean {
  const stack: { token: CST.Token; depth: number }[] = []
  for (const token of new (yaml().Parser)().parse(text)) stack.push({ token, depth: 0 })
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top.depth > limit) return true
    const { token } = top
    const depth = top.depth + 1
    if (token.type === 'document' && token.value) stack.push({ token: token.value, depth })
    if (!('items' in token)) continue
    for (const item of token.items) {
      if (item.key) stack.push({ token: item.key, depth })
      if (item.value) stack.push({ token: item.value, depth })
    }
  }
  return false
}
