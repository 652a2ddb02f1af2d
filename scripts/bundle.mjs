// What a start loads, in few files. Reads what tsc wrote to dist and puts chunks in the place of the command's own modules:
// Node finds, reads and links every file of a program by itself, and eight hundred of them cost more than what is in them.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist')
const entry = join(dist, 'src', 'cli', 'index.js')
const chunks = join(dist, 'src', 'chunks')

/** A native module, the driver of one, and SDKs that are loaded when a vendor's records are first read. */
const APART = ['better-sqlite3', 'pg', 'resend', 'stripe', 'twilio']

/** What is loaded at once goes into one file each: what every command needs, and what the server needs beside that. */
const STARTS = [
  ['command', join(dist, 'src', 'clock.js'), join(dist, 'src', 'cli', 'io.js'), join(dist, 'src', 'cli', 'program.js')],
  ['server', join(dist, 'src', 'config.js'), join(dist, 'src', 'main.js')],
]

if (readFileSync(entry, 'utf8').includes('/chunks/')) throw new Error(`${entry} is in chunks already: run tsc first.`)

const found = new Map()
/** A module of a start and all that it imports, as far as no start before it has it. */
function gather(name, id, info) {
  if (found.has(id)) return
  found.set(id, name)
  for (const each of info(id)?.importedIds ?? []) gather(name, each, info)
}

const bundle = await rolldown({
  input: { 'src/cli/index': entry },
  platform: 'node',
  external: APART,
  plugins: [
    {
      name: 'spendgate',
      // What went wrong is to be named as it stands in the sources.
      load(id) {
        if (!id.startsWith(dist + sep) || !existsSync(`${id}.map`)) return null
        return { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) }
      },
      buildEnd() {
        for (const [name, ...starts] of STARTS)
          for (const start of starts) gather(name, start, (id) => this.getModuleInfo(id))
      },
    },
  ],
  onLog(level, { message }) {
    if (level === 'warn') throw new Error(message)
  },
})
rmSync(chunks, { recursive: true, force: true })
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'src/chunks/[name].js',
  sourcemap: true,
  sourcemapExcludeSources: true,
  comments: { legal: true, annotation: false, jsdoc: false },
  codeSplitting: { groups: STARTS.map(([name]) => ({ name, test: (id) => found.get(id) === name })) },
})
await bundle.close()
writeFileSync(join(chunks, 'LICENSES.txt'), licenses(output))

/** What the licences of the packages in the chunks ask for: to be there. */
function licenses(files) {
  const packages = new Set()
  for (const { modules = {} } of files)
    for (const id of Object.keys(modules)) {
      const folder = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll(sep, '/'))?.[1]
      if (folder !== undefined) packages.add(folder)
    }
  return [...packages]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
      return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8')}`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}
