import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { preloadFile } from '../child-env.js'
import type { Context } from '../context.js'
import { CliFault, Exit } from '../exit.js'
import { loadOption, optionsIn, withOption, withoutOption } from '../npmrc.js'

interface SetupOptions {
  readonly undo?: boolean
}

/**
 * Makes every Node program that npx starts for this user load the preload: what an unmodified MCP configuration needs.
 * In programs without a vendor base or a vault key it does nothing.
 */
export async function setup(context: Context, options: SetupOptions): Promise<number> {
  const { env } = context.io
  const home = env.HOME ?? env.USERPROFILE ?? homedir()
  const npmrc = env.npm_config_userconfig ?? env.NPM_CONFIG_USERCONFIG ?? join(home, '.npmrc')
  const installed = join(env.XDG_DATA_HOME ?? join(home, '.local', 'share'), 'spendgate', 'preload.cjs')
  const before = existsSync(npmrc) ? readFileSync(npmrc, 'utf8') : ''

  if (options.undo === true) {
    const after = withoutOption(before)
    if (after !== before) rewrite(npmrc, after)
    // In this order: a Node that finds the option but not the file ends at once.
    rmSync(installed, { force: true })
    if (context.json) context.reply({ npmrc, preload: null, changed: after !== before })
    else
      context.show(
        after === before ? `There was nothing to undo in ${npmrc}.\n` : `Removed the preload from ${npmrc}.\n`,
      )
    return Exit.ok
  }

  const built = preloadFile()
  if (!existsSync(built))
    throw new CliFault(Exit.failure, 'The preload is not built. Run: npm run build', { code: 'not_built' })
  mkdirSync(dirname(installed), { recursive: true })
  // A name of its own first: programs that start meanwhile must not read half a file.
  copyFileSync(built, `${installed}.new`)
  chmodSync(`${installed}.new`, 0o644)
  renameSync(`${installed}.new`, installed)
  const after = withOption(before, loadOption(installed))
  if (after !== before) rewrite(npmrc, after)
  if (context.json) context.reply({ npmrc, preload: installed, changed: after !== before })
  else {
    context.show(`${npmrc}: node-options=${optionsIn(after)}\n`)
    context.say(
      after === before ? 'It was set up already; the preload is the current one.' : 'Undo with: spendgate setup --undo',
    )
    if (env.NODE_OPTIONS)
      context.say(
        `NODE_OPTIONS is «${env.NODE_OPTIONS}» here; for what npx starts, npm puts the line above in its place. Add to it what you need there.`,
      )
  }
  return Exit.ok
}

/** The old text is kept beside it, and nobody ever reads half of the new one. */
function rewrite(file: string, text: string): void {
  if (existsSync(file)) copyFileSync(file, `${file}.spendgate-backup`)
  writeFileSync(`${file}.spendgate-new`, text, { mode: 0o600 })
  renameSync(`${file}.spendgate-new`, file)
}
