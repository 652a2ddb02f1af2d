import type { Running } from '../../main.js'
import type { Context } from '../context.js'
import { CliFault, Exit } from '../exit.js'
import { requireSqlite } from '../sqlite-guard.js'

type ServeOptions = Readonly<Record<string, string | true | undefined>>

/** Serves until SIGTERM or SIGINT; a second signal ends the process at once. */
export async function serve(context: Context, options: ServeOptions): Promise<number> {
  requireSqlite()
  const { readConfig } = await import('../../config.js')
  const { startServer } = await import('../../main.js')
  const { io } = context
  let running: Running
  try {
    running = await startServer(readConfig(io.env, flagsOf(context, options)))
  } catch (error) {
    throw startFault(error)
  }
  if (context.json)
    context.reply({
      agent_url: running.agentUrl,
      admin_url: running.adminUrl,
      dashboard_url: running.signInUrl(),
      notices: running.notices,
    })
  else {
    context.show(`agent port  ${running.agentUrl}\nadmin port  ${running.adminUrl}\n`)
    context.say(`dashboard   ${running.signInUrl()} (opens once, within 10 minutes)`)
    for (const notice of running.notices) context.say(notice)
  }
  await interrupted(context)
  if (!context.json) context.say('Stopping: no new calls; those under way may finish. Interrupt again to end at once.')
  const undo = io.onInterrupt(() => io.abandon(Exit.interrupted))
  try {
    await running.stop()
  } finally {
    undo()
  }
  return Exit.ok
}

/** Flags by their names on the command line, as readConfig takes them. */
function flagsOf(context: Context, options: ServeOptions): Record<string, string | undefined> {
  const flags = Object.entries(options).map(([name, value]): [string, string | undefined] => [
    name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    value === true ? 'true' : value,
  ])
  return { ...Object.fromEntries(flags), 'data-dir': context.dataDirFlag }
}

function interrupted({ io }: Context): Promise<void> {
  return new Promise((resolve) => {
    const undo = io.onInterrupt(() => {
      undo()
      resolve()
    })
  })
}

function startFault(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  if (error.name === 'ConfigFault') return new CliFault(Exit.usage, error.message, { code: 'config', cause: error })
  if (code === 'EADDRINUSE')
    return new CliFault(
      Exit.failure,
      `Port ${port} is in use by another program. Try --port and --admin-port with other numbers, or stop that program.`,
      { code, cause: error },
    )
  if (code === 'EACCES' && port !== undefined)
    return new CliFault(
      Exit.failure,
      `This user may not listen on port ${port}. Try one above 1023 with --port or --admin-port.`,
      { code, cause: error },
    )
  return error
}
