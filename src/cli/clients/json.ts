import { droppedBy, entryOf, fieldsOf, type Entry, type Format } from './entry.js'
import { memberOf, parseJsonText, TextFault, withMembers, type JsonNode } from './json-text.js'
import { shortened } from './shapes.js'

/** Claude Desktop, Claude Code, Cursor, VS Code and Windsurf: an object of entries by name, somewhere in a JSON file. */
export const jsonFormat: Format = {
  entries(text, lists) {
    if (text.trim() === '') return []
    const root = parseJsonText(text)
    return lists.flatMap((list): Entry[] => {
      const found = list.reduce<JsonNode | null>((node, name) => memberOf(node, name), root)
      return (found?.members ?? []).map(({ name, node }) => entryOf(list, name, node.value))
    })
  },

  put(text, list, name, wanted, spelling) {
    const start = text.trim() === '' ? '{\n}\n' : text
    const [withList, servers] = opened(start, list)
    const entry = memberOf(servers, name)
    const fields = fieldsOf(wanted, spelling)
    if (entry === null) return withMembers(withList, servers, [[name, Object.fromEntries(fields)]], new Set())
    if (entry.kind !== 'object') throw new TextFault(`"${name}" is no object`)
    return withMembers(withList, entry, fields, droppedBy(wanted))
  },

  shown(text) {
    if (text.trim() === '') return text
    let shown = text
    // From the end, so that the places of the others stay right.
    for (const { start, end, value, path } of textsIn(parseJsonText(text), []).reverse()) {
      const name = path.findLast((part) => part !== '[]') ?? ''
      const guarded = path.at(-2) === 'env' || path.at(-2) === 'headers'
      const short = shortened(value, { name: path.at(-1) === '[]' ? '' : name, guarded })
      if (short !== value) shown = shown.slice(0, start) + JSON.stringify(short) + shown.slice(end)
    }
    // Comments may hold a key that was put aside.
    return shown
      .split('\n')
      .map((line) => shortened(line))
      .join('\n')
  },
}

/** The list of entries at its place, made where there is none yet. */
function opened(text: string, list: readonly string[]): readonly [string, JsonNode] {
  let at = parseJsonText(text)
  if (at.kind !== 'object') throw new TextFault('it is no object')
  for (const [depth, name] of list.entries()) {
    const next = memberOf(at, name)
    if (next === null) return opened(withMembers(text, at, [[name, {}]], new Set()), list)
    if (next.kind !== 'object') throw new TextFault(`"${list.slice(0, depth + 1).join('.')}" is no object`)
    at = next
  }
  return [text, at]
}

interface PlacedText {
  readonly start: number
  readonly end: number
  readonly value: string
  readonly path: readonly string[]
}

/** Every text of the file but the names of members, in order. */
function textsIn(node: JsonNode, path: readonly string[]): PlacedText[] {
  if (node.kind === 'string') return [{ start: node.start, end: node.end, value: node.value as string, path }]
  return [
    ...node.members.flatMap((member) => textsIn(member.node, [...path, member.name])),
    ...node.items.flatMap((item) => textsIn(item, [...path, '[]'])),
  ]
}
