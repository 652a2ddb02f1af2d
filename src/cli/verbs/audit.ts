import { createReadStream, createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { parseUsd, usd, type Usd } from '../../contracts/money.js'
import { GENESIS, link } from '../../ledger/chain.js'
import { callSeq } from '../../ledger/ids.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound } from '../exit.js'
import { safe } from '../output.js'

/** Checks the chain of an export by its own arithmetic, or has the server prove its whole book. */
export async function verify(context: Context, _options: unknown, file: string | undefined): Promise<number> {
  const found = file === undefined ? await byServer(context) : await inFile(resolve(context.io.cwd, file), file)
  const ok = found.faults.length === 0
  if (context.json) context.reply({ ok, ...found })
  else if (!ok)
    context.show(found.faults.map((fault) => `${context.style.paint('bad', '✘')} ${safe(fault)}\n`).join(''))
  else if (found.head === undefined) context.show('Sound: the chain holds, and every call and total follows from it.\n')
  else {
    context.show(`Sound: ${found.entries} entries, the last with hash ${found.head}\n`)
    context.say('A chain cannot show that its end was cut off: compare the last hash with one noted elsewhere.')
  }
  return ok ? Exit.ok : Exit.failure
}

interface Verified {
  readonly faults: readonly string[]
  readonly entries?: number
  readonly head?: string
}

async function byServer(context: Context): Promise<Verified> {
  const api = await context.api()
  const { faults } = await api.get<{ readonly faults: readonly string[] }>('/audit/verify')
  return { faults }
}

const FAULTS_MAX = 100

async function inFile(path: string, given: string): Promise<Verified> {
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  const faults: string[] = []
  let head = GENESIS
  let entries = 0
  try {
    for await (const line of lines) {
      entries += 1
      const next = check(line, entries, head, given)
      if (next.fault !== null && faults.length < FAULTS_MAX) faults.push(next.fault)
      head = next.head
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw notFound(`There is no file ${given}.`)
    if (code === 'EISDIR' || code === 'EACCES')
      throw new CliFault(Exit.failure, `${given} cannot be read (${code}).`, { cause: error })
    throw error
  }
  if (entries === 0) faults.push(`${given} is empty.`)
  return { faults, entries, head }
}

/** One entry against the hash before it. After a fault the chain goes on from what the entry claims: each break is named once. */
function check(
  line: string,
  number: number,
  head: string,
  file: string,
): { readonly head: string; readonly fault: string | null } {
  const entry = entryOf(line)
  if (entry === null) return { head, fault: `${file}:${number} is no entry of an audit export.` }
  const { seq, at, kind, call, amount, detail, hash } = entry
  if (seq !== number)
    return { head: hash, fault: `${file}:${number} is entry ${seq}: entries before it are missing or out of order.` }
  const expected = link(head, { seq, at, kind, callSeq: call, amount, detail })
  return expected === hash
    ? { head: hash, fault: null }
    : {
        head: hash,
        fault: `${file}:${number} entry ${seq} does not match its hash: it, or one before it, was changed.`,
      }
}

interface Entry {
  readonly seq: number
  /** Epoch milliseconds. */
  readonly at: number
  readonly kind: string
  readonly call: number | null
  readonly amount: Usd
  readonly detail: string
  readonly hash: string
}

function entryOf(line: string): Entry | null {
  let value: Readonly<Record<string, unknown>>
  try {
    value = (JSON.parse(line) ?? {}) as Readonly<Record<string, unknown>>
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  const { seq, at, kind, call_id: callId, amount_usd: amountText, detail, hash } = value
  if (typeof seq !== 'number' || typeof at !== 'string' || typeof kind !== 'string' || typeof detail !== 'string')
    return null
  if (typeof hash !== 'string' || typeof amountText !== 'string' || (callId !== null && typeof callId !== 'string'))
    return null
  const amount = signed(amountText)
  const call = callId === null ? null : callSeq(callId)
  if (amount === null || (callId !== null && call === null)) return null
  return { seq, at: Date.parse(at), kind, call, amount, detail, hash }
}

function signed(text: string): Usd | null {
  const amount = parseUsd(text.replace(/^-/, ''))
  return amount !== null && text.startsWith('-') ? usd(-amount) : amount
}

/** Writes the export as it arrives, so that its length does not matter. */
export async function exportAll(context: Context, options: { readonly output?: string }): Promise<number> {
  const api = await context.api()
  const stream = await api.stream('/audit/export', {}, { accept: 'application/x-ndjson' })
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
