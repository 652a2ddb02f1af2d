import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { checkpointIn } from '../../audit/checkpoint-file.js'
import { checkTrail, Trail, type TrailOptions, type Verified } from '../../audit/trail.js'
import type { Checkpoint } from '../../contracts/ledger.js'
import { keyIdOf } from '../../ledger/checkpoints.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound, usage } from '../exit.js'
import { safe } from '../output.js'
import { instantFrom } from '../times.js'

interface VerifyOptions {
  readonly checkpoints?: string
  readonly publicKey?: readonly string[]
}

type Found = Pick<Verified, 'faults'> & Partial<Verified>

/**
 * Checks the chain of an export or an archive by its own arithmetic, or has the server prove its whole book; and holds
 * checkpoints that were kept elsewhere against it.
 */
export async function verify(context: Context, options: VerifyOptions, file: string | undefined): Promise<number> {
  const checkpoints = options.checkpoints === undefined ? [] : await checkpointsIn(context, options.checkpoints)
  const keys = checkpoints.length > 0 || options.publicKey !== undefined ? await publicKeys(context, options) : {}
  const trail = { checkpoints, publicKeys: keys }
  const found = file === undefined ? await byServer(context, trail) : await inFile(context, file, trail)
  const ok = found.faults.length === 0
  if (context.json) context.reply({ ok, ...found })
  else if (!ok)
    context.show(found.faults.map((fault) => `${context.style.paint('bad', '✘')} ${safe(fault)}\n`).join(''))
  else {
    context.show(file === undefined ? PROVED : `Sound: ${found.entries} entries, the last with hash ${found.head}\n`)
    if (checkpoints.length > 0)
      context.show(`${found.checkpoints} of ${checkpoints.length} checkpoints are borne out.\n`)
    else if (file !== undefined)
      context.say('A chain cannot show that its end was cut off: hold it against --checkpoints kept elsewhere.')
  }
  return ok ? Exit.ok : Exit.failure
}
const PROVED = 'Sound: the chain holds, and every call and total follows from it.\n'

type Held = Pick<TrailOptions, 'checkpoints' | 'publicKeys'>

/** The server proves its book; that the book is the one that was signed is computed here, from its export. */
async function byServer(context: Context, held: Held): Promise<Found> {
  const api = await context.api()
  const { faults } = await api.get<{ readonly faults: readonly string[] }>('/audit/verify', {}, LONG_MS)
  if (held.checkpoints?.length === 0) return { faults }
  const trail = new Trail({ name: 'export', ...held })
  const stream = await exported(context, {})
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) trail.add(line)
  const found = trail.close()
  return { ...found, faults: [...faults, ...found.faults] }
}
/** A large book takes its time. */
const LONG_MS = 600_000

async function inFile(context: Context, given: string, held: Held): Promise<Verified> {
  try {
    return await checkTrail(resolve(context.io.cwd, given), { name: given, ...held })
  } catch (error) {
    throw unreadable(given, error)
  }
}

/** One a line, as the server writes them. */
async function checkpointsIn(context: Context, given: string): Promise<readonly Checkpoint[]> {
  const found: Checkpoint[] = []
  const lines = createInterface({ input: createReadStream(resolve(context.io.cwd, given), 'utf8') })
  try {
    for await (const line of lines) {
      const checkpoint = checkpointIn(line)
      if (checkpoint === null) throw new CliFault(Exit.failure, `${given}:${found.length + 1} is no checkpoint.`)
      found.push(checkpoint)
    }
  } catch (error) {
    throw unreadable(given, error)
  }
  if (found.length === 0) throw new CliFault(Exit.failure, `${given} holds no checkpoint.`)
  return found
}

function unreadable(given: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return notFound(`There is no file ${given}.`)
  if (code === 'EISDIR' || code === 'EACCES')
    return new CliFault(Exit.failure, `${given} cannot be read (${code}).`, { cause: error })
  return error
}

/** Keys that were noted elsewhere are worth more than those the server shows: whoever has its file may have put in another. */
async function publicKeys(context: Context, { publicKey }: VerifyOptions): Promise<Readonly<Record<string, string>>> {
  const keys =
    publicKey?.map((given) => keyIn(context, given)) ?? (await shownKeys(context)).map((key) => key.public_key)
  return Object.fromEntries(keys.map((key) => [keyIdOf(key), key]))
}

/** 32 bytes in base64url, or a file that holds them. */
function keyIn(context: Context, given: string): string {
  const path = resolve(context.io.cwd, given)
  const text = (!PUBLIC_KEY.test(given) && existsSync(path) ? readFileSync(path, 'utf8') : given).trim()
  if (PUBLIC_KEY.test(text)) return text
  throw usage(
    `"${given}" is no public key: 43 characters, as "spendgate audit public-key" prints them, or a file of them.`,
  )
}
const PUBLIC_KEY = /^[A-Za-z0-9_-]{43}$/

interface PublicKeyReply {
  readonly key_id: string
  readonly public_key: string
}

async function shownKeys(context: Context): Promise<readonly PublicKeyReply[]> {
  const api = await context.api()
  return (await api.get<{ readonly keys: readonly PublicKeyReply[] }>('/audit/public-key')).keys
}

/** To be noted where nobody who has the server's files can change it. */
export async function publicKey(context: Context): Promise<number> {
  const keys = await shownKeys(context)
  if (context.json) context.reply({ keys })
  else context.show(keys.map((key) => `${safe(key.public_key)}\n`).join(''))
  return Exit.ok
}

interface ExportOptions {
  readonly output?: string
  readonly format?: string
  readonly since?: string
  readonly to?: string
}

async function exported(context: Context, { format = 'ndjson', since, to }: ExportOptions): Promise<Readable> {
  const api = await context.api()
  const nowMs = context.io.clock.now()
  const range = {
    from: since === undefined ? undefined : instantFrom(since, nowMs),
    to: to === undefined ? undefined : instantFrom(to, nowMs),
  }
  return api.stream('/audit/export', { format, ...range }, { accept: '*/*' })
}

/** Writes the export as it arrives, so that its length does not matter. */
export async function exportAll(context: Context, options: ExportOptions): Promise<number> {
  const stream = await exported(context, options)
  if (options.output === undefined) {
    const decoder = new TextDecoder()
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      context.show(decoder.decode(chunk, { stream: true }))
      await context.io.out.drained()
    }
    return Exit.ok
  }
  try {
    await pipeline(stream, createWriteStream(resolve(context.io.cwd, options.output), { flags: 'wx', mode: 0o600 }))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new CliFault(Exit.failure, `${options.output} exists; an export does not overwrite it.`, { code: 'exists' })
    if (code === 'ENOENT' || code === 'EACCES')
      throw new CliFault(Exit.failure, `${options.output} cannot be written (${code}).`, { cause: error })
    throw error
  }
  if (context.json) context.reply({ file: options.output })
  else context.say(`Wrote ${options.output}`)
  return Exit.ok
}
