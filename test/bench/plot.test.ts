import { describe, expect, test } from 'vitest'
import { plotted } from '../../bench/plot.js'

const plot = {
  title: 'Calls & rows',
  xLabel: 'rows',
  yLabel: 'µs',
  xs: [1_000, 10_000, 100_000],
  lines: [
    { label: 'flat', values: [10, 10, 10] },
    { label: 'grows <fast>', values: [10, 100, null] },
  ],
}

/** Points of the lines, in order. */
const points = (svg: string): [number, number][][] =>
  [...svg.matchAll(/points="([^"]+)"/g)].map(([, text]) =>
    text!.split(' ').map((point) => point.split(',').map(Number) as [number, number]),
  )

describe('a plot', () => {
  test('puts equal ratios at equal distances, on both axes', () => {
    const [flat, grows] = points(plotted(plot))
    expect(flat).toHaveLength(3)
    const [[x0, y0], [x1, y1], [x2, y2]] = flat as [[number, number], [number, number], [number, number]]
    expect(x1 - x0).toBeCloseTo(x2 - x1, 0)
    expect([y1, y2]).toEqual([y0, y0])
    // More is higher, and y runs downwards.
    expect(grows![1]![1]).toBeLessThan(grows![0]![1])
  })

  test('leaves out what was not measured', () => {
    expect(points(plotted(plot))[1]).toHaveLength(2)
  })

  test('is well-formed, reads on light and on dark, and names every line beside its end', () => {
    const svg = plotted(plot)
    const open = [...svg.matchAll(/<([a-z]+)[^>]*?(\/?)>/g)].filter(([, , closed]) => closed === '').length
    expect(open).toBe([...svg.matchAll(/<\/[a-z]+>/g)].length)
    expect(svg).toContain('prefers-color-scheme: dark')
    expect(svg).toContain('Calls &amp; rows')
    expect(svg).toContain('grows &lt;fast&gt;')
    const labels = [...svg.matchAll(/class="label"[^>]* y="([\d.]+)"/g)].map(([, y]) => Number(y))
    expect(labels).toHaveLength(2)
    expect(Math.abs(labels[0]! - labels[1]!)).toBeGreaterThanOrEqual(14)
  })

  test('of nothing is refused', () => {
    expect(() => plotted({ ...plot, lines: [] })).toThrow(/a value/)
  })
})
