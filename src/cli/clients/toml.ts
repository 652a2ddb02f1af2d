import { droppedBy, entryOf, fieldsOf, type Entry, type Format } from './entry.js'
import { TextFault } from './json-text.js'
import { shortened } from './shapes.js'
import { parseTomlText, tomlKey, tomlValue, type Statement } from './toml-text.js'

/** Codex: a table `[mcp_servers.NAME]` for each entry. */
export const tomlFormat: Format = {
  entries(text, lists) {
    const statements = parseTomlText(text)
    return lists.flatMap((list): Entry[] => {
      const [root] = list
      const names = new Set(
        statements.filter(({ path }) => path[0] === root && path.length > 1).map(({ path }) => path[1]!),
      )
      return [...names].map((name) => entryOf(list, name, valueAt(statements, [root!, name])))
    })
  },

  put(text, [root], name, wanted, spelling) {
    const eol = text.includes('\r\n') ? '\r\n' : '\n'
    const statements = parseTomlText(text)
    const own = statements.filter(({ path }) => path[0] === root && path[1] === name)
    const header = `[${root}.${tomlKey(name)}]`
    if (own.length === 0) {
      const inline = statements.find(({ kind, path }) => kind === 'pair' && path.length === 1 && path[0] === root)
      if (inline) throw new TextFault(`${root} is written as one value, which is not changed here`)
      const gap = text === '' ? '' : text.endsWith('\n') ? eol : eol + eol
      const lines = fieldsOf(wanted, spelling).map(([key, value]) => `${key} = ${tomlValue(value)}`)
      return `${text}${gap}${['# Put here by "spendgate connect".', header, ...lines, ''].join(eol)}`
    }
    const head = own.find(({ kind, path, repeated }) => kind === 'header' && path.length === 2 && !repeated)
    const foreign = own.find(({ table, repeated }) => repeated || table.length < 2)
    if (head === undefined || foreign !== undefined)
      throw new TextFault(`${root}.${name} does not stand under a header ${header}, which alone is changed here`)
    const fields = fieldsOf(wanted, spelling)
    const dropped = droppedBy(wanted)
    let changed = text
    // From the end, so that the places of the others stay right.
    for (const each of own.toReversed()) {
      const key = each.path[2]
      if (each === head || key === undefined) continue
      const field = each.kind === 'pair' && each.path.length === 3 ? fields.find(([name]) => name === key) : undefined
      if (field) changed = spliced(changed, each.valueStart, each.valueEnd, tomlValue(field[1]))
      else if (dropped.has(key)) changed = spliced(changed, lineBefore(changed, each), each.end, '')
    }
    const written = own.filter(({ kind, path }) => kind === 'pair' && path.length === 3).map(({ path }) => path[2])
    const added = fields.flatMap(([key, value]) =>
      written.includes(key) ? [] : [`${key} = ${tomlValue(value)}${eol}`],
    )
    const brokenLine = text[head.end - 1] === '\n' ? '' : eol
    return spliced(changed, head.end, head.end, brokenLine + added.join(''))
  },

  shown(text) {
    const secretLines = parseTomlText(text)
      .filter(({ kind }) => kind === 'pair')
      .map((statement) => ({
        ...statement,
        guarded: statement.path.some((part) => /^(?:env|http_headers)$/.test(part)),
      }))
    const shown = secretLines.reduceRight((all, { start, end, path, guarded }) => {
      const line = all.slice(start, end)
      return all.slice(0, start) + shownPair(line, path.at(-1)!, guarded) + all.slice(end)
    }, text)
    return shown
      .split('\n')
      .map((line) => shortened(line))
      .join('\n')
  },
}

const spliced = (text: string, start: number, end: number, put: string): string =>
  text.slice(0, start) + put + text.slice(end)

/** A header that goes takes the empty line above it along. */
const lineBefore = (text: string, { kind, start }: Statement): number =>
  kind === 'header' ? start - (/\n(\r?\n)$/.exec(text.slice(0, start))?.[1]!.length ?? 0) : start

/** Each text of a pair, under the name nearest to it: that of the key, or of the member of an inline table. */
function shownPair(line: string, key: string, guarded: boolean): string {
  const place = line.indexOf('=') + 1
  const value = line
    .slice(place)
    .replace(
      /(?:([A-Za-z0-9_-]+|"[^"\n]*")(\s*=\s*))?("(?:[^"\\\n]|\\.)*"|'[^'\n]*')/g,
      (_whole, name: string | undefined, equals: string | undefined, raw: string) => {
        const text = raw.slice(1, -1)
        const short = shortened(text, { name: name?.replaceAll('"', '') ?? (guarded ? key : (name ?? key)), guarded })
        return `${name ?? ''}${equals ?? ''}${raw[0]}${short}${raw[0]}`
      },
    )
  return line.slice(0, place) + value
}

/** What a file says under a path, tables and dotted keys alike. */
function valueAt(statements: readonly Statement[], path: readonly string[]): unknown {
  const found: Record<string, unknown> = {}
  for (const statement of statements) {
    if (statement.kind === 'header' || !path.every((part, i) => statement.path[i] === part)) continue
    const rest = statement.path.slice(path.length)
    if (rest.length === 0) return statement.value
    const [first, second] = rest
    if (second === undefined) found[first!] = statement.value
    else found[first!] = { ...(found[first!] as object | undefined), [rest.slice(1).join('.')]: statement.value }
  }
  return found
}
