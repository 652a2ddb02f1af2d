import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether a program is on the PATH, and else says in the log of the tests what is not run for want of it. */
export function have(program: string, for_: string): boolean {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  const found = places.some((place) => place !== '' && existsSync(join(place, program)))
  if (!found) console.log(`${for_} is skipped: ${program} is not installed here.`)
  return found
}

export interface Said {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export function run(program: string, args: readonly string[], input = '', env: NodeJS.ProcessEnv = process.env): Said {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...env, PATH: `${env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin` },
  })
  if (error !== undefined) throw error
  return { status, stdout, stderr }
}
