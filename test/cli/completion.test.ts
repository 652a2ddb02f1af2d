import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { Terminal } from './terminal.js'

const terminal = new Terminal()
afterEach(() => terminal.close())

test.each(['bash', 'zsh', 'fish'])('the script for %s is as it was', async (shell) => {
  const { exit, out } = await terminal.run('completion', shell)
  expect(exit).toBe(0)
  await expect(out).toMatchFileSnapshot(`golden/completion.${shell}`)
})

describe('in a real bash', () => {
  const completed = async (...words: string[]): Promise<string[]> => {
    const { out } = await terminal.run('completion', 'bash')
    const script = `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spendgate; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, status } = spawnSync('bash', ['--norc', '-c', script, 'bash', 'spendgate', ...words], {
      encoding: 'utf8',
    })
    expect(status).toBe(0)
    return stdout.trimEnd().split('\n')
  }

  test.each([
    [['fre'], ['freeze']],
    [['key', 're'], ['revoke']],
    [['key', 'create', 'bot', '--po'], ['--policy']],
    [['spend', '--by', 'key', '--fr'], ['--from']],
    [['--json', 'policy', 'ver'], ['versions']],
    [['key', 'create', 'x', '--jso'], ['--json']],
  ])('%j', async (words, choices) => {
    expect(await completed(...words)).toEqual(choices)
  })
})
