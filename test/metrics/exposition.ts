import { expect } from 'vitest'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}
export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)|[+-]Inf|NaN)$/

/**
 * Reads Prometheus text exposition, format 0.0.4, as strictly as a tool that lints it: each family once, in one piece, with
 * HELP before TYPE before samples; no series twice; counters end in _total and are not negative; buckets are complete,
 * in order and cumulative, and their last is the count.
 */
export function exposition(text: string): ReadonlyMap<string, Family> {
  expect(text.endsWith('\n'), 'the last line ends').toBe(true)
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>()
  const series = new Set<string>()
  let at: string | null = null
  let help: string | null = null
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string]
      expect(name).toMatch(NAME)
      if (kind === 'HELP') {
        expect(families.has(name), `${name} has one HELP`).toBe(false)
        expect(rest).not.toMatch(/\\(?![\\n])/)
        ;[at, help] = [name, rest]
      } else {
        expect([name, help === null], `TYPE of ${name} follows its HELP`).toEqual([at, false])
        expect(['counter', 'gauge', 'histogram']).toContain(rest)
        families.set(name, { type: rest, help: help!, samples: [] })
        help = null
      }
      continue
    }
    const found = SAMPLE.exec(line)
    expect(found, `«${line}» is a sample`).not.toBeNull()
    const [, name, labelText = '', value] = found as unknown as [string, string, string | undefined, string]
    const family = families.get(at ?? '')
    expect(family, `${name} has a family`).toBeDefined()
    const suffixes = family!.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    expect(suffixes.map((suffix) => at + suffix)).toContain(name)
    expect(value).toMatch(NUMBER)
    expect(series.has(line.slice(0, line.lastIndexOf(' '))), `${line} stands once`).toBe(false)
    series.add(line.slice(0, line.lastIndexOf(' ')))
    family!.samples.push({ name, labels: labelsIn(labelText), value: numberOf(value) })
  }
  for (const [name, family] of families) check(name, family)
  return families
}

function labelsIn(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== '';) {
    const found = LABEL.exec(rest)
    expect(found, `«${rest}» are labels`).not.toBeNull()
    const [whole, name, value] = found as unknown as [string, string, string]
    expect(labels).not.toHaveProperty(name)
    labels[name] = value
    rest = rest.slice(whole.length)
  }
  return labels
}

const numberOf = (text: string): number =>
  text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)

function check(name: string, { type, samples, help }: Family): void {
  expect(samples.length, `${name} has samples`).toBeGreaterThan(0)
  expect(help.length, `${name} says what it is`).toBeGreaterThan(10)
  expect(type === 'counter', `${name} is named as a ${type}`).toBe(name.endsWith('_total'))
  if (type === 'counter') for (const { value } of samples) expect(value).toBeGreaterThanOrEqual(0)
  if (type === 'histogram') checkBuckets(name, samples)
}

function checkBuckets(name: string, samples: readonly Sample[]): void {
  const groups = new Map<string, Sample[]>()
  for (const sample of samples) {
    const { le: _le, ...own } = sample.labels
    const group = JSON.stringify(own)
    groups.set(group, [...(groups.get(group) ?? []), sample])
  }
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => numberOf(labels.le!))
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b))
    expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY)
    const counts = buckets.map(({ value }) => value)
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
    expect(group.filter((sample) => sample.name === `${name}_sum`)).toHaveLength(1)
    const count = group.filter((sample) => sample.name === `${name}_count`)
    expect(count.map(({ value }) => value)).toEqual([counts.at(-1)])
  }
}

/** The value of one series; undefined when there is none. */
export const valueOf = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined =>
  [...families.values()]
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name && JSON.stringify(sample.labels) === JSON.stringify({ ...sample.labels, ...labels }),
    )?.value
