import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

interface Headers {
  readonly directory: string
  remove(): void
}
const { headersBeside } = (await import(new URL('../../scripts/headers.mjs', import.meta.url).href)) as {
  headersBeside(prefix: string, version: string): Headers | null
}

const prefix = mkdtempSync(join(tmpdir(), 'spendgate-prefix-'))
afterAll(() => rmSync(prefix, { recursive: true, force: true }))
const place = (root: string): string => join(root, 'include', 'node', 'node_object_wrap.h')
const given = (text: string): void => {
  mkdirSync(join(prefix, 'include', 'node'), { recursive: true })
  writeFileSync(place(prefix), text)
  writeFileSync(join(prefix, 'include', 'node', 'node.h'), '// node')
}

/** The lines that matter of Node's own header, from 24.19 on and before. */
const BEFORE = 'ObjectWrap() {\n    refs_ = 0;\n  }\n  virtual ~ObjectWrap() {\n    if (persistent().IsEmpty())\n'
const HOOKED = `${BEFORE.replace('refs_ = 0;\n', 'refs_ = 0;\n    AddCleanupHook();\n').replace(
  '~ObjectWrap() {\n',
  '~ObjectWrap() {\n    RemoveCleanupHook();\n',
)}  void AddCleanupHook() {\n    AddEnvironmentCleanupHook();\n  }\n  void RemoveCleanupHook() {\n  }\n`

describe('the headers an addon is compiled with', () => {
  test('are those beside Node, where they are sound', () => {
    given(BEFORE)
    for (const version of ['20.20.2', '22.23.3', '24.18.1'])
      expect(headersBeside(prefix, version)?.directory).toBe(prefix)
    given(HOOKED)
    expect(headersBeside(prefix, '26.10.0')?.directory).toBe(prefix)
  })

  test('are a copy without the two calls on a Node 24 that has them', () => {
    given(HOOKED)
    const { directory, remove } = headersBeside(prefix, '24.21.0')!
    expect(directory).not.toBe(prefix)
    const copied = readFileSync(place(directory), 'utf8')
    expect(copied).not.toMatch(/\b(?:Add|Remove)CleanupHook\(\);/)
    expect(copied).toContain(BEFORE)
    expect(existsSync(join(directory, 'include', 'node', 'node.h'))).toBe(true)
    expect(readFileSync(place(prefix), 'utf8')).toBe(HOOKED)
    remove()
    expect(existsSync(directory)).toBe(false)
  })

  test('are none where Node came without', () => {
    expect(headersBeside(join(prefix, 'nowhere'), '24.21.0')).toBeNull()
  })
})
