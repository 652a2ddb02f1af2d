import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { FAMILIES } from '../../src/metrics.js'
import { packageRoot } from '../../src/package-root.js'

// What is given to Grafana and Prometheus is drawn and alerted on for months without anybody looking at it again.

const read = (name: string): string => readFileSync(join(packageRoot(), 'ops', name), 'utf8')

/** What series of a family are called. */
const SERIES = new Set(
  Object.entries(FAMILIES).flatMap(([name, type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
  ),
)
/** Every label there is, and those that Prometheus adds. */
const LABELS = new Set(
  'code decision kind le outcome quantile result status table vendor explained job instance'.split(' '),
)

/** Faults of an expression, as far as one can tell without running it. */
function faultsOf(expr: string): string[] {
  const bare = expr.replace(/"[^"]*"/g, '""')
  const names = bare.match(/\bspendgate_\w+/g) ?? []
  const faults = names.filter((name) => !SERIES.has(name)).map((name) => `${name} is no series of ours`)
  if (names.length === 0) faults.push('names no series')
  for (const [, list] of bare.matchAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g))
    for (const label of list!.split(',')) if (!LABELS.has(label.trim())) faults.push(`${label.trim()} is no label`)
  for (const [, list] of bare.matchAll(/\{([^}]*)\}/g))
    for (const matcher of list!.split(',')) {
      const label = /^\s*(\w+)(?:=~|!~|!=|=)""\s*$/.exec(matcher)?.[1]
      if (label === undefined || !LABELS.has(label)) faults.push(`«${matcher}» matches no label`)
    }
  for (const [whole, name] of bare.matchAll(/\b(?:rate|increase)\((\w+)/g))
    if (FAMILIES[name!] === 'gauge') faults.push(`${whole} is of a gauge`)
  for (const [open, close] of ['()', '{}', '[]'] as const)
    if (bare.split(open!).length !== bare.split(close!).length) faults.push(`${open}${close} do not match`)
  return faults.map((fault) => `${fault}: ${expr}`)
}

test('what is wrong with an expression is seen', () => {
  expect(faultsOf('sum by (vendor) (rate(spendgate_calls_total{decision="deny"}[5m]))')).toEqual([])
  for (const expr of [
    'spendgate_call_total',
    'spendgate_upstream_seconds',
    'sum by (customer) (spendgate_doubts)',
    'spendgate_calls_total{customer="x"}',
    'rate(spendgate_doubts[5m])',
    'sum(spendgate_doubts',
    'up == 0',
  ])
    expect(faultsOf(expr), expr).toHaveLength(1)
})

describe('the dashboard', () => {
  const dashboard = JSON.parse(read('grafana.json'))
  const panels: any[] = dashboard.panels
  const drawn = panels.filter(({ type }) => type !== 'row')

  test('has what Grafana 11 wants of one', () => {
    expect(dashboard).toMatchObject({
      uid: expect.stringMatching(/^[a-zA-Z0-9_-]{1,40}$/),
      title: 'spendgate',
      schemaVersion: 39,
      time: { from: expect.any(String), to: 'now' },
      annotations: { list: [] },
    })
    expect(dashboard).not.toHaveProperty('id')
    for (const panel of panels)
      expect(panel).toMatchObject({
        id: expect.any(Number),
        title: expect.stringMatching(/\S/),
        gridPos: { h: expect.any(Number), w: expect.any(Number), x: expect.any(Number), y: expect.any(Number) },
      })
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const panel of drawn) {
      expect(['stat', 'timeseries']).toContain(panel.type)
      expect(panel).toMatchObject({
        description: expect.stringMatching(/\.$/),
        fieldConfig: { defaults: { unit: expect.any(String) }, overrides: [] },
      })
      expect(panel.targets.map(({ refId }: { refId: string }) => refId)).toEqual(
        [...'ABCDEFG'].slice(0, panel.targets.length),
      )
    }
  })

  test('takes its data from whatever source the operator chooses', () => {
    const source = { type: 'prometheus', uid: '${datasource}' }
    for (const panel of drawn) for (const each of [panel, ...panel.targets]) expect(each.datasource).toEqual(source)
    expect(dashboard.templating.list.map(({ name, type }: any) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
    ])
  })

  test('has no panel upon another, and none beyond the edge', () => {
    const taken = new Set<string>()
    for (const { gridPos, title } of panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(x, title).toBeLessThan(24)
          expect(taken.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false)
          taken.add(`${x},${y}`)
        }
  })

  test('draws only what is measured', () => {
    const exprs: string[] = drawn.flatMap(({ targets }) => targets.map(({ expr }: { expr: string }) => expr))
    expect(exprs.length).toBeGreaterThan(20)
    expect(exprs.flatMap((expr) => faultsOf(expr.replaceAll('$__rate_interval', '5m')))).toEqual([])
    expect(exprs.filter((expr) => !expr.includes('{job=~"$job"'))).toEqual([])
    expect(faultsOf(dashboard.templating.list[1].definition.replace(/label_values\((\w+), job\)/, '$1'))).toEqual([])
  })
})

describe('the alert rules', () => {
  const file = parse(read('alerts.yml'))
  const rules: any[] = file.groups.flatMap(({ rules }: any) => rules)

  test('have what Prometheus wants of them', () => {
    expect(Object.keys(file)).toEqual(['groups'])
    for (const group of file.groups) expect(Object.keys(group)).toEqual(['name', 'rules'])
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const rule of rules) {
      expect(
        Object.keys(rule).filter((name) => !['alert', 'expr', 'for', 'labels', 'annotations'].includes(name)),
      ).toEqual([])
      expect(rule).toMatchObject({
        alert: expect.stringMatching(/^Spendgate[A-Z]\w+$/),
        labels: { severity: expect.stringMatching(/^(?:critical|warning|info)$/) },
        annotations: { summary: expect.stringMatching(/\.$/) },
      })
      if ('for' in rule) expect(rule.for).toMatch(/^\d+[smh]$/)
    }
  })

  test('watch only what is measured', () => {
    expect(rules.length).toBeGreaterThan(15)
    expect(rules.flatMap(({ expr }) => faultsOf(expr))).toEqual([])
  })

  test('name in their sentences only labels that their expression keeps', () => {
    for (const { expr, annotations, alert } of rules)
      for (const [, label] of JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g))
        expect(expr, `${alert} keeps ${label}`).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`))
  })

  test('are each explained to the operator', () => {
    const text = readFileSync(join(packageRoot(), 'docs', 'metrics.md'), 'utf8')
    expect(rules.map(({ alert }) => alert).filter((alert) => !text.includes(`\`${alert}\``))).toEqual([])
  })

  const promtool = spawnSync('promtool', ['--version']).error === undefined
  if (!promtool) process.stderr.write('skipped: promtool is not on the PATH, so the rules are only read here\n')
  test.runIf(promtool)('promtool finds nothing wrong', () => {
    const { status, stdout, stderr } = spawnSync(
      'promtool',
      ['check', 'rules', join(packageRoot(), 'ops', 'alerts.yml')],
      { encoding: 'utf8' },
    )
    expect([status, stdout + stderr]).toEqual([0, expect.anything()])
  })
})

test('every family there is is explained to the operator', () => {
  const text = readFileSync(join(packageRoot(), 'docs', 'metrics.md'), 'utf8')
  expect(Object.keys(FAMILIES).filter((name) => !text.includes(`\`${name}\``))).toEqual([])
})
