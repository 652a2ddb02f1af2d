import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type ParsedNode } from 'yaml'
import type { Context } from './context.js'
import { CliFault, Exit, notFound, usage, type FaultLine } from './exit.js'

/** A file the operator wrote: its text as it stands, and the name faults are reported under. */
export interface Source {
  /** The path as given, or `stdin`. */
  readonly name: string
  readonly text: string
  readonly contentType: 'application/json' | 'application/yaml'
}

/** Reads a YAML or JSON document; `-` is standard input. */
export async function readSource(context: Context, file: string): Promise<Source> {
  const text =
    file === '-' ? await context.io.readStdin(DOCUMENT_BYTES_MAX) : readText(resolve(context.io.cwd, file), file)
  const isJson = file.endsWith('.json') || (file === '-' && text.trimStart().startsWith('{'))
  return { name: file === '-' ? 'stdin' : file, text, contentType: isJson ? 'application/json' : 'application/yaml' }
}
const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024

function readText(path: string, given: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw notFound(`There is no file ${given}.`)
    throw new CliFault(Exit.failure, `${given} cannot be read (${code ?? 'unknown fault'}).`, { cause: error })
  }
  if (bytes.length > DOCUMENT_BYTES_MAX) throw usage(`${given} is longer than ${DOCUMENT_BYTES_MAX} bytes.`)
  return bytes.toString('utf8')
}

/**
 * The document as plain JSON. A number with a fraction or exponent becomes the text it was written as, so that no
 * price or rate passes through a float.
 */
export function plain(source: Source): unknown {
  const { document } = parse(source)
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === 'number' && !Number.isSafeInteger(node.value))
        node.value = node.source ?? String(node.value)
      else if (typeof node.value === 'number' && node.source !== undefined && !/^-?\d+$/.test(node.source))
        node.value = node.source
    },
  })
  return document.toJS()
}

interface Parsed {
  readonly document: Document.Parsed<ParsedNode>
  readonly lines: LineCounter
}

function parse(source: Source): Parsed {
  const lines = new LineCounter()
  const document = parseDocument(source.text, { lineCounter: lines, prettyErrors: false, strict: true })
  if (document.errors.length > 0) {
    const found = document.errors.map((error): FaultLine => ({
      at: place(source, lines, error.pos[0]),
      message: error.message,
    }))
    throw new CliFault(Exit.failure, `${source.name} is not valid YAML or JSON.`, { code: 'invalid', lines: found })
  }
  return { document, lines }
}

const place = (source: Source, lines: LineCounter, offset: number): string => {
  const { line, col } = lines.linePos(offset)
  return `${source.name}:${line}:${col}`
}

/**
 * Gives faults of the server their position in the file: the server names the path in the document, or a line and
 * column of a text whose file it never saw.
 */
export function located(
  fault: CliFault,
  source: Source,
  message = `${source.name} has faults. Nothing was stored, and what is in force stays in force.`,
): CliFault {
  if ((fault.more.lines ?? []).length === 0) return fault
  const lines = (fault.more.lines ?? []).map((line) => ({ at: position(line.at, source), message: line.message }))
  return new CliFault(fault.exit, message, { ...fault.more, lines, cause: fault })
}

function position(at: string, source: Source): string {
  const found = /(?:^|:)(\d+):(\d+)$/.exec(at)
  if (found) return `${source.name}:${found[1]}:${found[2]}`
  const offset = offsetOf(at, source)
  if (offset !== null) return offset
  return at === '' ? source.name : `${source.name}: ${at}`
}

/** Position of `vendors.stripe.max_amount_usd` or `budgets[1].cap_usd`; of its nearest parent when it is absent. */
function offsetOf(path: string, source: Source): string | null {
  let read: Parsed
  try {
    read = parse(source)
  } catch (error) {
    if (error instanceof CliFault) return null
    throw error
  }
  let node: unknown = read.document.contents
  let offset = 0
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    const next = below(node, step)
    if (next === null) break
    ;({ node, offset } = next)
  }
  return place(source, read.lines, offset)
}

function below(node: unknown, step: string): { node: unknown; offset: number } | null {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
    return pair === undefined ? null : { node: pair.value, offset: startOf(pair.key) }
  }
  if (isSeq(node) && /^\d+$/.test(step)) {
    const item = node.items[Number(step)]
    return item === undefined ? null : { node: item, offset: startOf(item) }
  }
  return null
}

const startOf = (node: unknown): number => (node as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0
