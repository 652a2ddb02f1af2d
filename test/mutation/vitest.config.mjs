import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { chosen } from './groups.mjs'

// Without the global set-up of the whole suite: nothing here needs other languages' clients.
export default defineConfig({
  // The packages are linked into the copy that is mutated, and nothing is to be written there.
  plugins: [withoutSome()],
  cacheDir: join(tmpdir(), 'vite'),
  resolve: { alias: { 'fast-check': fileURLToPath(new URL('fewer-runs.mjs', import.meta.url)) } },
  test: {
    // One file, so that a mutant costs one worker that loads everything once.
    include: [`test/mutation/together/${chosen().name}.mjs`],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: [unloadable()],
  },
})

/**
 * Tests of the ledger that need the built program, take seconds over what is not mutated (opening and moving a file), or
 * count what many tries came to.
 */
const LEFT_OUT = {
  'sqlite.test.ts': [
    "test('is refused to another process too",
    "test('cut off anywhere in its log",
    "describe('moved to a newer schema'",
  ],
  'audit-prune.test.ts': ["test('whatever happened and whenever it was signed"],
}

function withoutSome() {
  return {
    name: 'without-some-tests',
    enforce: 'pre',
    transform(code, id) {
      const names = id.includes('/test/ledger/') ? (LEFT_OUT[basename(id)] ?? []) : []
      return names.reduce((left, name) => {
        if (!left.includes(name)) throw new Error(`there is no ${name} in ${id} any more`)
        return left.replace(name, name.replace('(', '.skip('))
      }, code)
    },
  }
}

/** A mutant that keeps the tests from loading is an error to Stryker, which would take no test for no failure. */
function unloadable() {
  let vitest
  return {
    onInit: (started) => void (vitest = started),
    onTestModuleEnd: (module) => {
      for (const error of module.errors()) vitest.state.catchError(error, 'Unhandled Error')
    },
  }
}
