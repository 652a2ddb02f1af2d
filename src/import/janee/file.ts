import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type ParsedNode } from 'yaml'
import { z } from 'zod'

/*
 * Janee's config.yaml (0.16.0, src/cli/config-yaml.ts, read on 2026-11-21). What is known of it is written out here, so
 * that a name which a later version adds is reported and never passed over: it may be a restriction.
 */

/** Something to be said about the file, and where: `config.yaml:12:5`. */
export interface Remark {
  readonly at: string
  readonly message: string
}

/** The file, taken apart. */
export interface JaneeFile {
  /** The key that inline secrets of before 0.3 are sealed with; null since. */
  readonly masterKey: string | null
  /** False where a secret that cannot be opened is taken for plain text. */
  readonly strict: boolean
  readonly restricted: boolean
  readonly services: ReadonlyMap<string, Service>
  readonly capabilities: ReadonlyMap<string, Capability>
  /** What is wrong with parts of it; those parts are in neither map. */
  readonly faults: readonly Remark[]
  /** What is known and means nothing here. */
  readonly passedOver: readonly Remark[]
  /** Where a part stands, or its nearest parent. */
  at(path: readonly (string | number)[]): string
}

export interface Service extends z.output<typeof serviceShape> {}
export interface Capability extends z.output<typeof capabilityShape> {}

const texts = z.array(z.string('must be text'), 'must be a list').nullish()
const ownership = z.strictObject({
  createdBy: z.string().nullish(),
  accessPolicy: z.enum(['agent-only', 'all-agents', 'shared']),
  sharedWith: texts,
  createdAt: z.unknown().optional(),
})
const serviceShape = z.strictObject({
  baseUrl: z.string('must be text'),
  auth: z.looseObject({ type: z.string('must be text') }, 'must be a map with a type'),
  testPath: z.string('must be text').nullish(),
  ownership: ownership.nullish(),
})
const yes = z.boolean('must be true or false').nullish()
const capabilityShape = z.strictObject({
  service: z.string('must be text'),
  // Without one, Janee itself answers every call with an error.
  ttl: z
    .string('must be a span such as 1h; without one Janee serves no call')
    .regex(/^\d+[smhd]$/, 'must be a span such as 1h'),
  autoApprove: yes,
  requiresReason: yes,
  rules: z.strictObject({ allow: texts, deny: texts }).nullish(),
  allowedAgents: texts,
  access: z.enum(['open', 'restricted'], 'must be open or restricted').nullish(),
  mode: z.enum(['proxy', 'exec'], 'must be proxy or exec').nullish(),
  allowCommands: texts,
  env: z.record(z.string(), z.string()).nullish(),
  workDir: z.string().nullish(),
  timeout: z.number().nullish(),
})
const serverShape = z.strictObject({
  port: z.unknown().optional(),
  host: z.unknown().optional(),
  logBodies: z.unknown().optional(),
  strictDecryption: yes,
  defaultAccess: z.enum(['open', 'restricted'], 'must be open or restricted').nullish(),
})

const TOP = new Set(['version', 'masterKey', 'server', 'llm', 'services', 'capabilities'])

/** @param name what the file is called in remarks */
export function readJanee(text: string, name: string): JaneeFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const at = (path: readonly (string | number)[]): string => place(offsetOf(document, path))
  const faults: Remark[] = []
  const passedOver: Remark[] = []
  const say = (path: readonly (string | number)[], message: string): void =>
    void faults.push({ at: at(path), message: `${path.length === 0 ? 'the file' : path.join('.')} ${message}` })

  for (const error of document.errors)
    faults.push({ at: place(error.pos[0]), message: `is where this stops being YAML (${error.code})` })
  const value = document.errors.length > 0 ? {} : valueOf(document)
  const top = isRecord(value) ? value : {}
  if (value === TOO_MUCH) say([], 'has anchors that stand for too much')
  else if (!isRecord(value)) say([], 'must be a map with services and capabilities')
  for (const key of Object.keys(top)) if (!TOP.has(key)) say([key], 'is unknown to Janee 0.16 and is left out')
  if (Array.isArray(top.services) && 'masterKey' in top)
    say(['services'], 'is a list, as in the JSON file of the first versions, which no later one reads')

  const server = serverShape.safeParse(top.server ?? {})
  if (!server.success) faults.push(...remarksOn(['server'], server.error, at))
  if (top.llm !== undefined && top.llm !== null)
    passedOver.push({ at: at(['llm']), message: 'llm, with its key, is left out: spendgate asks no model anything' })

  const each = <Shape extends z.ZodType>(section: string, shape: Shape): ReadonlyMap<string, z.output<Shape>> => {
    const given = top[section] ?? {}
    if (!isRecord(given)) {
      if (!(Array.isArray(given) && 'masterKey' in top)) say([section], 'must be a map, each part under its name')
      return new Map()
    }
    const found = new Map<string, z.output<Shape>>()
    for (const [key, part] of Object.entries(given)) {
      const read = shape.safeParse(part)
      if (read.success) found.set(key, read.data)
      else faults.push(...remarksOn([section, key], read.error, at))
    }
    return found
  }
  return {
    masterKey: typeof top.masterKey === 'string' && top.masterKey !== '' ? top.masterKey : null,
    strict: server.data?.strictDecryption ?? true,
    // Nobody is let in by a server section that cannot be read.
    restricted: !server.success || server.data.defaultAccess === 'restricted',
    services: each('services', serviceShape),
    capabilities: each('capabilities', capabilityShape),
    faults,
    passedOver,
    at,
  }
}

const ALIASES_MAX = 100
const TOO_MUCH = Symbol('too much')

function valueOf(document: Document.Parsed<ParsedNode>): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (error) {
    if (error instanceof ReferenceError) return TOO_MUCH
    throw error
  }
}

function remarksOn(path: readonly string[], { issues }: z.ZodError, at: JaneeFile['at']): Remark[] {
  return issues.flatMap((issue): Remark[] => {
    const inner = [...path, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        at: at([...inner, key]),
        message: `${[...inner, key].join('.')} is unknown to Janee 0.16 and may be a restriction: ${path.join('.')} is left out`,
      }))
    return [{ at: at(inner), message: `${inner.join('.')} ${issue.message}: ${path.join('.')} is left out` }]
  })
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function offsetOf(document: Document.Parsed<ParsedNode>, path: readonly (string | number)[]): number {
  let node: unknown = document.contents
  let offset = 0
  for (const step of path) {
    let key: unknown
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step))
      if (pair === undefined) break
      ;[key, node] = [pair.key, pair.value]
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (node === undefined) break
      key = node
    } else break
    offset = (key as { range?: readonly number[] | null } | null)?.range?.[0] ?? offset
  }
  return offset
}
