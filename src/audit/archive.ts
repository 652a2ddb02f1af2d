import { createHash } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LedgerConflict, type Archiver } from '../contracts/ledger.js'
import { checkTrail } from './trail.js'

/**
 * Writes what is to be pruned into a directory: under another name first, on disk before it gets its own, and read back.
 * An archive that is there is never replaced, even where an attempt that was killed has left it for nothing.
 */
export const archiver =
  (directory: string, publicKeys: () => Readonly<Record<string, string>>): Archiver =>
  async (name, lines) => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, name)
    const unfinished = `${file}.unfinished`
    await rm(unfinished, { force: true })
    const sha256 = await written(unfinished, lines)
    const { faults } = await checkTrail(unfinished, { name, publicKeys: publicKeys() })
    if (faults.length > 0) throw new LedgerConflict(`The archive does not verify, so nothing was pruned: ${faults[0]}`)
    const given = await named(unfinished, file)
    await settled(directory)
    return { file: given, sha256 }
  }

/** Gives a file its name, or the next that is free. */
async function named(unfinished: string, wanted: string): Promise<string> {
  for (let i = 1; ; i++) {
    const name = i === 1 ? wanted : wanted.replace(/\.ndjson$/, `-${i}.ndjson`)
    try {
      await link(unfinished, name)
      await rm(unfinished)
      return name
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    }
  }
}

async function written(path: string, lines: Iterable<string>): Promise<string> {
  const file = await open(path, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    for (const text of lines) {
      hash.update(text)
      await file.appendFile(text)
    }
    await file.sync()
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}

/** The new name is on disk too. Where a directory cannot be opened, the file system has no such step. */
async function settled(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => null)
  try {
    await handle?.sync()
  } finally {
    await handle?.close()
  }
}
