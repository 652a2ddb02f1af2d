import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** Which processors the governing process and the rest of the world (load, vendor) may use. */
export interface Layout {
  readonly name: LayoutName
  readonly means: string
  readonly proxy: string | null
  /** The same for spendgate, which has a thread that writes beside the one that answers: `0/0,1` pins that one to 0. */
  readonly own: string | null
  readonly world: string | null
}
export const LAYOUTS = ['two-cores', 'one-cpu', 'shared'] as const
export type LayoutName = (typeof LAYOUTS)[number]
export const isLayoutName = (name: string): name is LayoutName => (LAYOUTS as readonly string[]).includes(name)

/** A layout on this machine, or one sentence on why it cannot be laid out here. */
export function layout(name: LayoutName): Layout | string {
  const allowed = allowedCpus()
  if (!hasTaskset() || allowed.length === 0) {
    return name === 'two-cores'
      ? { name, means: 'not pinned: there is no taskset here', proxy: null, own: null, world: null }
      : `The layout ${name} needs taskset to pin processes, and there is none here.`
  }
  const [a, b] = allowed
  if (name === 'one-cpu') return { name, means: `everything on CPU ${a}`, proxy: `${a}`, own: `${a}`, world: `${a}` }
  if (b === undefined) return `The layout ${name} needs two processors; this process may use one.`
  if (name === 'shared') {
    const both = `${a},${b}`
    return {
      name,
      means: `proxy on CPU ${a} and ${b}, load and vendor on CPU ${b}`,
      proxy: both,
      own: both,
      world: `${b}`,
    }
  }
  return {
    name,
    means: `proxy on CPU ${a}, load and vendor on CPU ${b}; of spendgate the thread that answers on CPU ${a}`,
    proxy: `${a}`,
    own: `${a}/${a},${b}`,
    world: `${b}`,
  }
}

const hasTaskset = (): boolean => spawnSync('taskset', ['-V'], { stdio: 'ignore' }).status === 0

function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(textOf('/proc/self/status'))?.[1] ?? ''
  return list.split(',').flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number)
    return from === undefined || to === undefined || part === ''
      ? []
      : Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

/** Nanoseconds of CPU that processes have used so far, all threads; null where there is no /proc to read it from. */
export function cpuNs(pids: readonly number[]): number | null {
  if (pids.length === 0) return null
  let total = 0
  for (const pid of pids) {
    const threads = entriesOf(`/proc/${pid}/task`)
    if (threads.length === 0) return null
    for (const thread of threads) total += Number(textOf(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0)
  }
  return total
}

/** The same of a process's main thread alone. */
export function mainThreadNs(pid: number): number | null {
  const schedstat = textOf(`/proc/${pid}/task/${pid}/schedstat`)
  return schedstat === '' ? null : Number(schedstat.split(' ')[0])
}

/** Resident memory of processes now and at its highest, in MiB; null where there is no /proc. */
export function residentMib(pids: readonly number[]): { readonly now: number; readonly highest: number } | null {
  const statuses = pids.map((pid) => textOf(`/proc/${pid}/status`))
  if (statuses.some((status) => status === '')) return null
  const sum = (field: string): number =>
    statuses.reduce((kib, status) => kib + Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0), 0) /
    1024
  return { now: sum('VmRSS'), highest: sum('VmHWM') }
}

/** Direct children of a process. */
export const childrenOf = (pid: number): number[] =>
  textOf(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)

/** The machine in one line, for a report. */
export function describeMachine(): string {
  const models = cpus()
  const gib = (totalmem() / 1024 ** 3).toFixed(0)
  return `${models.length} × ${models[0]?.model.trim() ?? 'unknown processor'}, ${gib} GiB, ${process.platform} ${release()}`
}

/** What `df` calls the kind of file system a directory is on; '' when it does not say. */
export function fileSystemOf(directory: string): string {
  try {
    return execFileSync('df', ['--output=fstype', directory], { encoding: 'utf8' }).trim().split('\n').at(-1) ?? ''
  } catch {
    return '' // Not GNU df. The report then goes without it.
  }
}

// Files under /proc may go at any moment, with their process; absent, they say nothing.
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
