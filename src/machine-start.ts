import { readFileSync } from 'node:fs'

/** Changes with every start of the machine, so a server that died alone can be told from one that a power cut took along. */
export function machineStart(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return null // Only Linux says.
  }
}
