import type { Role, ToChild, ToParent } from './part.js'

// Entry of every child process of the bench: `child.js <role> <options as JSON>`.
const [name, options] = process.argv.slice(2)
const say = (message: ToParent): void => void process.send!(message)

try {
  const module = (await import(`./${name}.js`)) as { start(options: unknown): Promise<Role<unknown, unknown, unknown>> }
  const role = await module.start(JSON.parse(options ?? 'null'))
  // The parent is gone: so is the reason to run.
  const orphaned = (): void => process.exit()
  const end = async (): Promise<void> => {
    process.off('disconnect', orphaned)
    await role.stop()
    process.disconnect()
  }
  process.once('disconnect', orphaned)
  process.on('message', (message: ToChild) => {
    if ('stop' in message) return void end()
    Promise.resolve(role.ask!(message.ask)).then(
      (reply) => say({ reply }),
      (cause: Error) => say({ fault: cause.message }),
    )
  })
  say({ facts: role.facts })
} catch (cause) {
  say({ fault: (cause as Error).stack ?? String(cause) })
  process.exitCode = 1
  process.disconnect()
}
