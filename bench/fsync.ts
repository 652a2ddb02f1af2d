import { closeSync, fdatasyncSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from './part.js'

export interface Durability {
  /** Medians in µs for an append of 4 KiB and the wait until it is on disk. */
  readonly fsyncUs: number
  readonly fdatasyncUs: number
}

const PAGE = Buffer.alloc(4096, 1)

/** What one durable write costs in the directory the ledger is measured in. It bounds what a durable reservation can cost. */
export async function start(options: {
  readonly directory: string
}): Promise<Role<null, { readonly times: number }, Durability>> {
  const directory = mkdtempSync(join(options.directory, 'fsync-'))
  return {
    facts: null,
    ask: async ({ times }) => ({
      fsyncUs: median(directory, times, fsyncSync),
      fdatasyncUs: median(directory, times, fdatasyncSync),
    }),
    stop: async () => rmSync(directory, { recursive: true, force: true }),
  }
}

function median(directory: string, times: number, sync: (file: number) => void): number {
  const file = openSync(join(directory, 'log'), 'w')
  const spans: number[] = []
  for (let i = 0; i < times; i++) {
    const from = performance.now()
    writeSync(file, PAGE)
    sync(file)
    spans.push(performance.now() - from)
  }
  closeSync(file)
  return spans.sort((a, b) => a - b)[times >> 1]! * 1000
}
