import { resolve } from 'node:path'
import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { safe } from '../output.js'

interface BackupReply {
  readonly file: string
  readonly bytes: number
}

/** The server copies its own database: two processes must not have it open. The path is one of the server's machine. */
export async function backup(context: Context, _options: unknown, file: string): Promise<number> {
  const api = await context.api()
  const done = await api.post<BackupReply>('/backup', { file: resolve(context.io.cwd, file) })
  if (context.json) context.reply(done)
  else {
    context.show(`Wrote ${safe(done.file)}  ${done.bytes} bytes\n`)
    context.say('The credentials in it are sealed: keep the master key too, and keep it elsewhere.')
  }
  return Exit.ok
}
