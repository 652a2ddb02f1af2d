import type { Context } from '../context.js'
import { requireSqlite } from '../sqlite-guard.js'

export async function demo(context: Context, options: { readonly stay?: boolean }): Promise<number> {
  requireSqlite()
  const { runDemo } = await import('../../demo/index.js')
  return runDemo({
    stay: options.stay === true,
    json: context.json,
    out: (text: string) => context.io.out.write(text),
    err: (text: string) => context.io.err.write(text),
  })
}
