import type { Role, ToChild, ToParent } from './part.js'

// Entry of every child process of the bench: `child.js <role> <options as JSON>`.
const [name, options] = process.argv.slice(2)
const say = (message: ToParent): void => void process.send!(message)

try {
  const module = (await import(`./${name}.js`)) as { start(options: unknown): Promise<Role<unknown, unknown, unknown>> }
  const role = await module.start(JSON.parse(options ?? 'null'))
  const end = async (): Promise<void> => {
    await role.stop()
    // Not process.exit: `--cpu-prof` writes its file on the way out, and an open handle here would be a bug to see.
    process.disconnect()
  }
  process.on('message', (message: ToChild) => {
    if ('stop' in message) return void end()
    Promise.resolve(role.ask!(message.ask)).then(
      (reply) => say({ reply }),
      (cause: Error) => say({ fault: cause.message }),
    )
  })
  // The parent is gone: so is the reason to run.
  process.on('disconnect', () => setTimeout(() => process.exit(), 5_000).unref())
  say({ facts: role.facts })
} catch (cause) {
  say({ fault: (cause as Error).stack ?? String(cause) })
  process.exitCode = 1
  process.disconnect()
}
