/*
 * JSON as editors let people write it, with comments and trailing commas, changed by splices: what is not asked for
 * stays byte for byte. A parser that gives back values alone would cost a user his comments.
 */

export interface JsonNode {
  readonly kind: 'object' | 'array' | 'string' | 'other'
  readonly start: number
  /** After the last character. */
  readonly end: number
  readonly value: unknown
  readonly members: readonly Member[]
  readonly items: readonly JsonNode[]
}
export interface Member {
  readonly name: string
  readonly start: number
  readonly node: JsonNode
  /** Where the comma after it is, or null. */
  readonly comma: number | null
}

/** A text that cannot be understood well enough to be changed. The message is a clause: «line 3: …». */
export class TextFault extends Error {
  override readonly name = 'TextFault'
}

const DEPTH_MAX = 100
const BLANK = /(?:[\s\ufeff]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y
const STRING = /"(?:[^"\\\u0000-\u001f]|\\.)*"/y
const SCALAR = /-?\d[\d.eE+-]*|true|false|null/y

/** @throws TextFault when it is not JSON even in this wide sense, or holds a name twice */
export function parseJsonText(text: string): JsonNode {
  let at = 0
  const fault = (what: string): TextFault => new TextFault(`line ${text.slice(0, at).split('\n').length}: ${what}`)
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) return null
    at += found[0].length
    return found[0]
  }
  const taken = (character: string): boolean => {
    if (text[at] !== character) return false
    at += 1
    return true
  }
  const string = (): string => {
    const raw = match(STRING)
    if (raw === null) throw fault('a text in double quotes was expected')
    try {
      return JSON.parse(raw) as string
    } catch {
      throw fault('a text holds an escape that JSON does not know')
    }
  }
  const comma = (): number | null => {
    match(BLANK)
    const place = at
    const found = taken(',')
    match(BLANK)
    return found ? place : null
  }
  const object = (start: number, depth: number): JsonNode => {
    const members: Member[] = []
    match(BLANK)
    while (!taken('}')) {
      if (members.at(-1)?.comma === null) throw fault('a comma or } was expected')
      const memberStart = at
      const name = string()
      if (members.some((other) => other.name === name)) throw fault(`"${name}" stands twice`)
      match(BLANK)
      if (!taken(':')) throw fault('a colon was expected')
      const node = value(depth + 1)
      members.push({ name, start: memberStart, node, comma: comma() })
    }
    const plain = Object.fromEntries(members.map(({ name, node }) => [name, node.value]))
    return { kind: 'object', start, end: at, value: plain, members, items: [] }
  }
  const array = (start: number, depth: number): JsonNode => {
    const items: JsonNode[] = []
    let open = true
    match(BLANK)
    while (!taken(']')) {
      if (!open) throw fault('a comma or ] was expected')
      items.push(value(depth + 1))
      open = comma() !== null
    }
    return { kind: 'array', start, end: at, value: items.map((item) => item.value), members: [], items }
  }
  const value = (depth: number): JsonNode => {
    if (depth > DEPTH_MAX) throw fault(`it is nested deeper than ${DEPTH_MAX} levels`)
    match(BLANK)
    const start = at
    if (taken('{')) return object(start, depth)
    if (taken('[')) return array(start, depth)
    if (text[at] === '"') {
      const found = string()
      return { kind: 'string', start, end: at, value: found, members: [], items: [] }
    }
    const raw = match(SCALAR)
    if (raw === null) throw fault('a value was expected')
    return { kind: 'other', start, end: at, value: parsedScalar(raw), members: [], items: [] }
  }
  const parsedScalar = (raw: string): unknown => {
    try {
      return JSON.parse(raw) as unknown
    } catch {
      throw fault(`${raw.slice(0, 20)} is no number`)
    }
  }
  const root = value(0)
  match(BLANK)
  if (at < text.length) throw fault('something stands after the end')
  return root
}

export const memberOf = (node: JsonNode | null, name: string): JsonNode | null =>
  node?.members.find((member) => member.name === name)?.node ?? null

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** The text with these members of one of its objects set in their order, and others taken out. */
export function withMembers(
  text: string,
  object: JsonNode,
  wanted: readonly (readonly [name: string, value: unknown])[],
  dropped: ReadonlySet<string>,
): string {
  const layout = layoutOf(text, object)
  const kept = object.members.filter(({ name }) => !dropped.has(name) || wanted.some(([wish]) => wish === name))
  const gone = object.members.filter((member) => !kept.includes(member))
  const added = wanted.filter(([name]) => !kept.some((member) => member.name === name))
  const edits: Edit[] = gone.map((member) => removal(text, member))
  for (const [name, value] of wanted) {
    const member = kept.find((each) => each.name === name)
    if (member)
      edits.push({ start: member.node.start, end: member.node.end, text: rendered(value, layout.inner, layout) })
  }
  const last = kept.at(-1)
  const trails = object.members.at(-1)?.comma != null
  if (added.length === 0) {
    if (last !== undefined && last.comma !== null && !trails)
      edits.push({ start: last.comma, end: last.comma + 1, text: '' })
    return applied(text, edits)
  }
  const lines = added.map(([name, value]) => {
    const member = `${JSON.stringify(name)}:${layout.spread ? ' ' : ''}${rendered(value, layout.inner, layout)}`
    return layout.spread ? `${layout.eol}${layout.inner}${member}` : member
  })
  const body = lines.join(',')
  if (last === undefined) {
    const empty = /^\s*$/.test(text.slice(object.start + 1, object.end - 1))
    if (empty)
      edits.push({
        start: object.start + 1,
        end: object.end - 1,
        text: `${body}${layout.spread ? layout.eol + layout.outer : ''}`,
      })
    else edits.push({ start: object.start + 1, end: object.start + 1, text: body })
    return applied(text, edits)
  }
  const after = last.comma === null ? last.node.end : last.comma + 1
  if (last.comma === null) edits.push({ start: after, end: after, text: ',' })
  // A comment behind the last member stays on its line.
  const place = layout.spread ? after + COMMENT_LEFT.exec(text.slice(after))![0].length : after
  edits.push({ start: place, end: place, text: `${body}${trails ? ',' : ''}` })
  return applied(text, edits)
}
const COMMENT_LEFT = /^(?:[ \t]*(?:\/\/[^\n\r]*|\/\*[^\n\r]*?\*\/)(?=[ \t]*\r?\n))?/

function removal(text: string, { start, node, comma }: Member): Edit {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1
  const ownLine = /^[ \t]*$/.test(text.slice(lineStart, start))
  const tail = comma === null ? node.end : comma + 1
  const rest = /^[ \t]*(?:\/\/[^\n]*)?(?:\r?\n)?/.exec(text.slice(tail))![0]
  if (ownLine && rest.endsWith('\n')) return { start: lineStart, end: tail + rest.length, text: '' }
  return { start, end: tail + /^[ \t]*/.exec(rest)![0].length, text: '' }
}

/** From the end, so that the places of the others stay right; of two at one place, the removal first. */
const applied = (text: string, edits: readonly Edit[]): string =>
  [...edits]
    .map((edit, order) => ({ ...edit, order }))
    .sort((a, b) => b.start - a.start || b.end - a.end || b.order - a.order)
    .reduce((all, { start, end, text: put }) => all.slice(0, start) + put + all.slice(end), text)

interface Layout {
  readonly eol: string
  readonly unit: string
  /** Indentation of the line the object begins on, and of its members. */
  readonly outer: string
  readonly inner: string
  /** Members on lines of their own. */
  readonly spread: boolean
}

function layoutOf(text: string, object: JsonNode): Layout {
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const indentAt = (place: number): string => /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', place - 1) + 1))![0]
  const unit = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  '
  const outer = indentAt(object.start)
  const [first] = object.members
  if (first === undefined) return { eol, unit, outer, inner: outer + unit, spread: text.includes('\n') }
  const ownLine = text.slice(object.start, first.start).includes('\n')
  return { eol, unit, outer, inner: ownLine ? indentAt(first.start) : outer + unit, spread: ownLine }
}

/** Lists of texts on one line, as people write the arguments of a program. */
function rendered(value: unknown, indent: string, layout: Layout): string {
  if (!layout.spread) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
  if (members.length === 0) return '{}'
  const deeper = indent + layout.unit
  const lines = members.map(([name, part]) => `${deeper}${JSON.stringify(name)}: ${rendered(part, deeper, layout)}`)
  return `{${layout.eol}${lines.join(`,${layout.eol}`)}${layout.eol}${indent}}`
}
