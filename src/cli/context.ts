import { dataDirOf } from '../config.js'
import type { Api } from './client.js'
import type { Io } from './io.js'
import { json, safe, styleFor, type Style } from './output.js'

/** What every verb is given: the world, the global options, and two ways to speak. */
export interface Context {
  readonly io: Io
  readonly json: boolean
  /** Style of stdout. */
  readonly style: Style
  readonly url: string | undefined
  readonly dataDir: string
  /** True when --data-dir was on the command line. */
  readonly dataDirFlag: string | undefined
  /** The admin API of the running server; connected on first use. */
  api(): Promise<Api>
  /** Data for people, to stdout as it is. Outside text in it has been through `safe`, `table` or `facts`. */
  show(text: string): void
  /** The one object a command replies with under --json. */
  reply(value: unknown): void
  /** One object of a stream under --json. */
  replyLine(value: unknown): void
  /** A sentence to stderr. */
  say(text: string): void
}

/** A verb's work. Its options and arguments are those its entry in `program.ts` declares. */
export type Verb = (context: Context, options: never, ...args: never[]) => Promise<number>

export interface GlobalOptions {
  readonly json?: boolean
  readonly url?: string
  readonly dataDir?: string
  readonly color: boolean
}

/** The context of one run and the hook that lets go of its connections. */
export function openContext(io: Io, options: GlobalOptions): { readonly context: Context; close(): Promise<void> } {
  const dataDir = dataDirOf(io.env, options.dataDir)
  let api: Promise<Api> | null = null
  const connect = async (): Promise<Api> => {
    const { Api, adminAddress, adminToken } = await import('./client.js')
    return new Api(adminAddress(options.url, io.env), adminToken(io.env, dataDir))
  }
  const context: Context = {
    io,
    json: options.json === true,
    style: styleFor(io.out.tty, io.env, options.color),
    url: options.url,
    dataDir,
    dataDirFlag: options.dataDir,
    api: () => (api ??= connect()),
    show: (text) => io.out.write(text),
    reply: (value) => io.out.write(`${json(value, io.out.tty)}\n`),
    replyLine: (value) => io.out.write(`${json(value, false)}\n`),
    say: (text) => io.err.write(`${safe(text)}\n`),
  }
  const close = async (): Promise<void> => {
    if (api === null) return
    const opened = await api.catch(() => null)
    await opened?.close()
  }
  return { context, close }
}
