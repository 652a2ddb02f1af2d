import type { Config } from './config.js'

const LEVELS = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 } as const
export type Level = Exclude<keyof typeof LEVELS, 'silent'>
export type Log = (level: Level, event: string, fields: Readonly<Record<string, unknown>>) => void

/** One JSON object a line on stderr. Callers name every field: headers and bodies never come here. */
export function logger(
  level: Config['logLevel'],
  now: () => number,
  write = (line: string): void => void process.stderr.write(line),
): Log {
  return (at, event, fields) => {
    if (LEVELS[at] > LEVELS[level]) return
    write(`${JSON.stringify({ ts: new Date(now()).toISOString(), level: at, event, ...fields })}\n`)
  }
}
