import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { preloadSection, preloadTable, type Preloaded } from '../../bench/preload.js'
import { withSection } from '../../bench/section.js'
import { packageRoot } from '../../src/package-root.js'
import { built, Child } from '../helpers/process.js'

const FIGURES: Preloaded = {
  runs: 21,
  startMs: { none: 20, inert: { took: 21, added: 1.2 }, active: { took: 51, added: 31.4 } },
  calls: 700,
  callUs: { straight: 700, through: 810, added: 112, rounds: [109, 320, 112] },
}

describe('the bench of the preload', () => {
  test('starts programs and makes calls of all kinds, and says what each took', async () => {
    const args = [built('bench/index.js'), 'preload', '--json', '--rounds', '1']
    const { code, stdout, stderr } = await new Child(args).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { runs, startMs, calls, callUs } = JSON.parse(stdout) as Preloaded
    expect({ runs, calls }).toEqual({ runs: 3, calls: 100 })
    for (const took of [startMs.none, startMs.inert.took, startMs.active.took, callUs.straight, callUs.through])
      expect(took).toBeGreaterThan(0)
  }, 60_000)

  test('a goal that is missed is called missed', () => {
    const [, , , active, call] = preloadTable(FIGURES).split('\n')
    expect(active).toContain('**missed**')
    expect(call).toMatch(/ 112 \(rounds: 109 to 320\) .*met/)
    expect(call).not.toContain('missed')
  })

  test('its section of the page is replaced and nothing else is touched', () => {
    const page = readFileSync(join(packageRoot(), 'docs', 'performance.md'), 'utf8')
    const once = withSection(page, preloadSection(FIGURES, 'a machine'))
    expect(withSection(once, preloadSection(FIGURES, 'a machine'))).toBe(once)
    const rest = (text: string): string => text.replace(/## The preload\n[\s\S]*?\n(?=## )/, '')
    expect(rest(once)).toBe(rest(page))
    expect(once).toContain('a machine')
  })
})
