import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { Document } from 'yaml'
import { z } from 'zod'
import { authScheme, baseUrl, fixedHeaders } from './admin/binding-schemas.js'
import { parseReference, patternFault, type Reference } from './secrets/reference.js'
import { ALL_PARTS, type ConfiguredCredential, type References } from './secrets/settings.js'
import { yaml } from './yaml.js'

/*
 * The configuration file (SPENDGATE_CONFIG): what no environment variable says well and no admin token may say, because it
 * opens this machine or its network. Secrets do not stand in it, only where they are.
 */

export interface ConfigurationFile {
  readonly secrets: {
    readonly refreshMs?: number | undefined
    readonly keepMs?: number | undefined
    readonly vault?:
      | { readonly address: string; readonly tokenFile?: string | undefined; readonly namespace?: string | undefined }
      | undefined
    readonly aws?: { readonly region?: string | undefined; readonly profile?: string | undefined } | undefined
    readonly op?: boolean | undefined
    readonly allow?: readonly string[] | undefined
  }
  readonly credentials: readonly ConfiguredCredential[]
  /** Hosts and networks (CIDR) that vendors by configuration may be at, although they are private. */
  readonly allowPrivateUpstreams: readonly string[]
}

/** Without a file: nothing is set up. */
export const NO_FILE: ConfigurationFile = { secrets: {}, credentials: [], allowPrivateUpstreams: [] }

const BYTES_MAX = 64 * 1024
const CREDENTIALS_MAX = 256
const LIST_MAX = 256
const FAULTS_MAX = 20
const ALIASES_MAX = 100

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const REFRESH_S_MIN = 10
const KEEP_DAYS_MAX = 7

const duration = (leastMs: number, mostMs: number, range: string) =>
  z
    .string()
    .regex(/^\d{1,6}[smhd]$/, 'must be a whole number and one of s, m, h, d, such as "5m"')
    .transform((text) => Number(text.slice(0, -1)) * (UNIT_MS[text.slice(-1)] ?? NaN))
    .refine((ms) => Number.isNaN(ms) || (ms >= leastMs && ms <= mostMs), `must be ${range}`)

const filled = z.string().min(1, 'is empty').max(512, 'is longer than 512 characters')

const address = z.string().transform((text, context): string => {
  const fault = vaultAddressFault(text)
  if (fault !== null) context.addIssue({ code: 'custom', message: fault })
  return text.replace(/\/$/, '')
})

const pattern = z.string().superRefine((text, context) => {
  const fault = patternFault(text)
  if (fault !== null) context.addIssue({ code: 'custom', message: fault })
})

const reference = z.string().transform((text, context): Reference => {
  const read = parseReference(text)
  if (typeof read !== 'string') return read
  context.addIssue({ code: 'custom', message: read })
  return z.NEVER
})

const partName = z.string().regex(/^[a-z_]{1,40}$/, 'is no name of a part: lower-case letters and _')

const credential = z.strictObject({
  vendor: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be a vendor name: lower-case letters, digits, hyphens'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, dots, hyphens and underscores'),
  secret_ref: z.union(
    [reference, z.record(partName, reference)],
    'must be a reference, or a map of references by part',
  ),
  // Only what vendors show openly may stand beside a reference; a key that is put here by mistake has another name.
  parts: z
    .record(
      z
        .string()
        .regex(
          /^(?:[a-z_]{1,30}_(?:sid|id|name)|account|user|username)$/,
          'may hold what is no secret: account_sid, api_key_sid, client_id, username and the like. A secret is referred to: put it under secret_ref',
        ),
      filled,
    )
    .optional(),
  // How a vendor by configuration is reached, as the API takes it.
  base_url: baseUrl.optional(),
  auth: authScheme.optional(),
  headers: fixedHeaders.optional(),
  api_version: z
    .string()
    .regex(/^[0-9A-Za-z.-]{1,64}$/, 'must be a version such as 2026-10-28.endive')
    .optional(),
})

const upstream = z
  .string()
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[?[0-9a-f:]+\]?|[0-9.]+\/\d{1,2}|[0-9a-f:]+\/\d{1,3})$/i,
    'must be a host name, an address or a network such as 10.0.0.0/8',
  )

const schema = z.strictObject({
  secrets: z
    .strictObject({
      refresh: duration(REFRESH_S_MIN * 1000, UNIT_MS.d!, `"${REFRESH_S_MIN}s" to "1d"`).optional(),
      keep: duration(0, KEEP_DAYS_MAX * UNIT_MS.d!, `"0s" to "${KEEP_DAYS_MAX}d"`).optional(),
      vault: z.strictObject({ address, token_file: filled.optional(), namespace: filled.optional() }).optional(),
      aws: z.strictObject({ region: word().optional(), profile: word().optional() }).optional(),
      op: z.boolean('must be true or false').optional(),
      allow: z.array(pattern).max(LIST_MAX).optional(),
    })
    .optional(),
  credentials: z.array(credential).max(CREDENTIALS_MAX).optional(),
  allow_private_upstreams: z.array(upstream).max(LIST_MAX).optional(),
})

/** It stands on a command line of ours. */
function word() {
  return z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$/, 'must be one word of letters, digits and _.@+-')
}

/** What is wrong with the address of a Vault, as a predicate; null when nothing is. */
export function vaultAddressFault(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return `must be an address such as https://vault.example.com:8200, not «${text.slice(0, 100)}».`
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return 'must have no credentials, query or fragment in it.'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'http:' && !['127.0.0.1', '::1', 'localhost'].includes(host))
    return `may be plain http only on loopback, not at «${url.hostname}»: the token and the secrets would travel in the clear.`
  return null
}

/**
 * Reads a configuration file.
 *
 * @param faults gets a sentence for each thing wrong, with file, line and column
 */
export function readConfigurationFile(path: string, faults: string[]): ConfigurationFile {
  const text = textOf(path, faults)
  return text === null ? NO_FILE : configurationIn(text, path, faults)
}

/** @param file for places */
export function configurationIn(text: string, file: string, faults: string[]): ConfigurationFile {
  const { LineCounter, parseDocument } = yaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', schema: 'core' })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
  const unreadable = [...document.errors, ...document.warnings]
  for (const { pos, message, code } of unreadable.slice(0, FAULTS_MAX))
    faults.push(
      `${place(pos[0])} ${code === 'DUPLICATE_KEY' ? 'A key stands twice here.' : `This is no YAML: ${message}`}`,
    )
  if (unreadable.length > 0 || document.contents === null) return NO_FILE
  const read = schema.safeParse(unfolded(document), { reportInput: true })
  if (read.success) return configuration(read.data)
  const found = read.error.issues
    .flatMap((issue) => findingsIn(issue))
    .map(({ path, about, message }) => ({ offset: offsetOf(document, path, about), message }))
    .sort((one, other) => one.offset - other.offset)
  for (const { offset, message } of found.slice(0, FAULTS_MAX)) faults.push(`${place(offset)} ${message}`)
  return NO_FILE
}

/** With its aliases followed; a file that unfolds to more than it says is none. */
function unfolded(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (cause) {
    if (cause instanceof ReferenceError) return null
    throw cause
  }
}

function configuration(read: z.output<typeof schema>): ConfigurationFile {
  const { refresh, keep, vault, aws, op, allow } = read.secrets ?? {}
  return {
    secrets: {
      refreshMs: refresh,
      keepMs: keep,
      vault: vault && { address: vault.address, tokenFile: vault.token_file, namespace: vault.namespace },
      aws,
      op,
      allow,
    },
    credentials: (read.credentials ?? []).map(
      ({
        vendor,
        name,
        secret_ref: referred,
        parts = {},
        api_version: apiVersion = '',
        ...wish
      }): ConfiguredCredential => ({
        vendor,
        name,
        parts,
        references: isReference(referred) ? { [ALL_PARTS]: referred } : referred,
        wish,
        apiVersion,
      }),
    ),
    allowPrivateUpstreams: read.allow_private_upstreams ?? [],
  }
}

const isReference = (value: Reference | References): value is Reference => typeof value.scheme === 'string'

interface Found {
  readonly path: readonly PropertyKey[]
  readonly about: 'key' | 'value'
  readonly message: string
}

function findingsIn(issue: z.core.$ZodIssue): Found[] {
  const { path } = issue
  const subject = [...path].reverse().find((part) => typeof part === 'string') ?? 'the file'
  const said = (message: string, about: Found['about'] = 'value'): Found[] => [
    {
      path,
      about,
      message: /^(?:must|is|has|may) /.test(message) ? `${String(subject)} ${message.replace(/\.?$/, '.')}` : message,
    },
  ]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], about: 'key', message: unknownKey(key, path) }))
    case 'invalid_key':
      return said(issue.issues[0]?.message ?? issue.message, 'key')
    case 'invalid_union': {
      // What is a text was meant for a reference, and what is a map for several of them.
      const [one, several] = issue.errors
      const meant = (typeof issue.input === 'string' ? one : several) ?? []
      const input = issue.input !== null && ['string', 'object'].includes(typeof issue.input)
      return input && meant.length > 0
        ? meant.flatMap((inner) => findingsIn({ ...inner, path: [...path, ...inner.path] } as z.core.$ZodIssue))
        : said(issue.input === undefined ? 'is missing' : issue.message)
    }
    case 'invalid_type':
      return said(issue.input === undefined ? 'is missing' : wrongType(issue.expected, issue.message))
    default:
      return said(issue.message)
  }
}

const NOUNS: Readonly<Record<string, string>> = { string: 'text', object: 'a map', record: 'a map', array: 'a list' }
const wrongType = (expected: string, message: string): string =>
  NOUNS[expected] === undefined ? message : `must be ${NOUNS[expected]}`

const SECTIONS: readonly { readonly at: RegExp; readonly keys: readonly string[] }[] = [
  { at: /^$/, keys: Object.keys(schema.shape) },
  { at: /^secrets$/, keys: ['refresh', 'keep', 'vault', 'aws', 'op', 'allow'] },
  { at: /^secrets\.vault$/, keys: ['address', 'token_file', 'namespace'] },
  { at: /^secrets\.aws$/, keys: ['region', 'profile'] },
  { at: /^credentials\.\d+$/, keys: Object.keys(credential.shape) },
]
const CONFIDED = /^(?:secret|token|api_key|password|key|auth_token|api_key_secret)$/

function unknownKey(key: string, path: readonly PropertyKey[]): string {
  if (CONFIDED.test(key))
    return `«${key}»: secrets do not stand in this file. Say where it is kept, such as secret_ref: file:/run/secrets/${key}.`
  const here = SECTIONS.find(({ at }) => at.test(path.join('.')))?.keys ?? []
  const near = here.map((known) => [likeness(key, known), known] as const).sort(([a], [b]) => b - a)[0]
  return near !== undefined && near[0] >= 0.5
    ? `Unknown key «${key.slice(0, 60)}». Did you mean ${near[1]}?`
    : `Unknown key «${key.slice(0, 60)}». Known here: ${here.join(', ')}.`
}

/** How many of the pairs of letters in two words are in both, from 0 to 1. */
function likeness(a: string, b: string): number {
  const [left, right] = [pairs(a), pairs(b)]
  const both = left.filter((pair) => right.includes(pair)).length
  return (2 * both) / (left.length + right.length)
}
const pairs = (word: string): string[] => {
  const bare = ` ${word.toLowerCase().replace(/[^a-z0-9]/g, '')} `
  return Array.from({ length: bare.length - 1 }, (_, at) => bare.slice(at, at + 2))
}

/** Where a part of the document stands in its text, or what is nearest around it. */
function offsetOf(document: Document, path: readonly PropertyKey[], about: Found['about']): number {
  const { isMap, isNode, isScalar, isSeq } = yaml()
  let node: unknown = document.contents
  let offset = 0
  path.forEach((part, depth) => {
    if (isNode(node) && node.range) offset = node.range[0]
    const last = depth === path.length - 1
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part)
      if (pair && isNode(pair.key) && pair.key.range && last && about === 'key') offset = pair.key.range[0]
      node = pair?.value
      if (last && about === 'key') node = undefined
    } else node = isSeq(node) ? node.items[part as number] : undefined
  })
  return isNode(node) && node.range ? node.range[0] : offset
}

function textOf(path: string, faults: string[]): string | null {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    faults.push(
      `The configuration file ${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown fault'}).`,
    )
    return null
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) faults.push(`The configuration file ${path} is not a regular file.`)
    else if (process.platform !== 'win32' && (stat.mode & 0o022) !== 0)
      faults.push(
        `The configuration file ${path} can be written by others, and whoever writes it has programs started here. Close it: chmod go-w ${path}`,
      )
    else if (stat.size > BYTES_MAX)
      faults.push(`The configuration file ${path} is over the limit of ${BYTES_MAX} bytes.`)
    else {
      const bytes = Buffer.alloc(BYTES_MAX)
      return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, BYTES_MAX, 0))
    }
    return null
  } finally {
    closeSync(descriptor)
  }
}
