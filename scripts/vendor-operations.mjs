// The operations that the installed SDKs of the three vendors can call, read from their source: a list that grows with
// every release, held against the catalogues by `npm run vendors:drift`.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/**
 * Every `METHOD path` that stripe-node, twilio-node and resend-node know. A call they make in a way that cannot be read
 * here is a fault, never left out: what is not seen could not be missed.
 */
export function sdkOperations() {
  return { stripe: stripe(), twilio: twilio(), resend: resend() }
}

/** The version of an installed SDK. */
export const sdkVersion = (name) => JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')).version

/** Folder of an installed package; `exports` may hide its package.json. */
function folderOf(name) {
  let at = dirname(require.resolve(name))
  while (!at.endsWith(join('node_modules', name))) at = dirname(at)
  return at
}

function stripe() {
  const found = new Operations('stripe')
  for (const file of filesUnder(join(folderOf('stripe'), 'esm', 'resources'))) {
    for (const call of readFileSync(file, 'utf8')
      .split(/\b_makeRequest\(/)
      .slice(1)) {
      // An event's own object is fetched from the address the event gives, which is one of the others.
      if (/^\s*'GET',\s*[\w.]+\.url\b/.test(call)) continue
      const [, method, , path] = /^\s*'(GET|POST|DELETE|PUT|PATCH)',\s*([`'])(.+?)\2/.exec(call) ?? []
      found.keep(method, path, `${file}: ${call.slice(0, 80)}`)
    }
  }
  return found.all()
}

function twilio() {
  const found = new Operations('twilio')
  const root = join(folderOf('twilio'), 'lib', 'rest')
  for (const base of readdirSync(root).filter((name) => name.endsWith('Base.js'))) {
    const host = /"https:\/\/([a-z0-9.-]+)"/.exec(readFileSync(join(root, base), 'utf8'))[1]
    const folder = join(root, camel(base.slice(0, -'Base.js'.length)))
    for (const name of readdirSync(folder).filter((each) => /^[A-Z].*\.js$/.test(each))) {
      const version = /super\(domain, "([^"]+)"\)/.exec(readFileSync(join(folder, name), 'utf8'))?.[1]
      if (version === undefined) throw new Error(`twilio: no version in ${join(folder, name)}`)
      for (const file of filesUnder(join(folder, snake(name.slice(0, -'.js'.length))))) {
        // Each part begins where an address is set and holds the methods called on it.
        const [head, ...parts] = readFileSync(file, 'utf8').split(/\b_uri = /)
        if (METHOD.test(head)) throw new Error(`twilio: a call before any address in ${file}`)
        for (const part of parts) {
          const uri = /^(?:`([^`]*)`|"([^"]*)")/.exec(part)
          for (const [, method] of part.matchAll(new RegExp(METHOD, 'g')))
            found.keep(
              method.toUpperCase(),
              uri && `${host === 'api.twilio.com' ? '' : host}/${version}${uri[1] ?? uri[2]}`,
              `${file}: ${part.slice(0, 80)}`,
            )
        }
      }
    }
  }
  return found.all()
}

const METHOD = /\bmethod: "(get|post|put|patch|delete)"/

function resend() {
  const found = new Operations('resend')
  const source = readFileSync(join(folderOf('resend'), 'dist', 'index.mjs'), 'utf8')
  for (const call of source.matchAll(/\bthis\.resend\.(get|post|put|patch|delete)\(\s*/g)) {
    const before = source.slice(0, call.index)
    // Methods of a class stand one tab in; the names a call uses are set in its own method.
    const own = before.slice(before.lastIndexOf('\n\t}\n') + 1)
    const path = textOf(source.slice(call.index + call[0].length), own, source)
    found.keep(call[1].toUpperCase(), path, source.slice(call.index, call.index + 80))
  }
  return found.all()
}

/** The path an expression comes to: a literal, a name set before, or a call with one of both as its first argument. */
function textOf(expression, own, source) {
  const literal = /^(["`])((?:(?!\1).)*)\1/s.exec(expression)
  if (literal !== null) {
    const [, , text] = literal
    // `${inboxPath}/drafts`: the beginning was put together elsewhere.
    const [, name] = /^\$\{(\w+)\}/.exec(text) ?? []
    return name === undefined ? text : textOf(name, own, source) + text.slice(`\${${name}}`.length)
  }
  const [, name, next] = /^(\w+)\s*([(?]?)/.exec(expression) ?? []
  if (name === undefined) return undefined
  // `buildPaginationUrl("/emails", options)` and `queryString ? `/usage?${queryString}` : "/usage"`.
  if (next !== '') {
    const inner = textOf(expression.slice(expression.indexOf(next) + 1).trimStart(), own, source)
    return inner?.includes('/') ? inner : made(name, source)
  }
  const set = own.lastIndexOf(`const ${name} = `)
  return set < 0 ? undefined : textOf(own.slice(set + `const ${name} = `.length), own.slice(0, set), source)
}

/** The path that a function of its own puts together: the first literal in it that is one. */
const made = (name, source) => {
  const at = source.indexOf(`function ${name}(`)
  return at < 0 ? undefined : /`(\/[^`]*)`/.exec(source.slice(at, source.indexOf('\n}\n', at)))?.[1]
}

/** What was found, each method and path once, whatever its placeholders are called. */
class Operations {
  #found = new Map()
  #vendor

  constructor(vendor) {
    this.#vendor = vendor
  }

  keep(method, raw, where) {
    const path = raw && plain(raw)
    if (!method || !path || !/^[a-z0-9.-]*\/[A-Za-z0-9_.{}/-]*$/.test(path))
      throw new Error(`${this.#vendor}: a call whose path cannot be read: ${where}`)
    this.#found.set(`${method} ${path.replace(/\{[^}]*\}/g, '{}')}`, { method, path })
  }

  all() {
    return [...this.#found.values()]
  }
}

/** `/emails/${encodeURIComponent(id)}?${query}` is `/emails/{id}`. What is put in without a slash before it is a query. */
const plain = (raw) =>
  raw
    .replace(/(.?)\$\{([^}]*)\}/g, (_, before, code) => (before === '/' ? `/{${nameIn(code)}}` : before))
    .replace(/\?.*$/, '')

/** The last name in a piece of code: `options.email ? options.email : options.id` is `id`. */
const nameIn = (code) => /(\w+)\W*$/.exec(code)?.[1] ?? 'value'

const camel = (name) => name[0].toLowerCase() + name.slice(1)
const snake = (name) => camel(name).replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const filesUnder = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(folder, name))
