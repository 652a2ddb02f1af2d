/** One line of a plot: a value at each place of the axis; null where there is none. */
export interface Line {
  readonly label: string
  readonly values: readonly (number | null)[]
}

export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  /** Ascending, above zero, as are the values: both axes are logarithmic. */
  readonly xs: readonly number[]
  readonly lines: readonly Line[]
}

const WIDTH = 860
const HEIGHT = 460
const LEFT = 70
const RIGHT = 260
const TOP = 44
const BOTTOM = 56
/** Apart on light and on dark, also for eyes that do not tell red from green (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f', '#a6761d'] as const
const DASHES = ['', '6 3', '2 3', '8 3 2 3'] as const
/** Labels nearer than this would be written over one another. */
const LABEL_PX = 15

/** A plot as SVG that stands by itself and takes the reader's light or dark. */
export function plotted({ title, xLabel, yLabel, xs, lines }: Plot): string {
  const all = lines.flatMap(({ values }) => values.filter((value) => value !== null))
  if (xs.length < 2 || all.length === 0) throw new Error('A plot needs two places and a value.')
  const [low, high] = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(Math.max(...all)))]
  const [first, last] = [Math.log10(xs[0]!), Math.log10(xs.at(-1)!)]
  const x = (value: number): number => LEFT + ((Math.log10(value) - first) / (last - first)) * (WIDTH - LEFT - RIGHT)
  const y = (value: number): number =>
    HEIGHT - BOTTOM - ((Math.log10(value) - low) / Math.max(1, high - low)) * (HEIGHT - TOP - BOTTOM)
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM]

  const grid = powers(low, high).map(
    (power) =>
      `<line class="grid" x1="${LEFT}" x2="${right}" y1="${px(y(power))}" y2="${px(y(power))}"/>` +
      `<text x="${LEFT - 8}" y="${px(y(power) + 4)}" text-anchor="end">${short(power)}</text>`,
  )
  const places = xs.map(
    (value) =>
      `<line class="grid" x1="${px(x(value))}" x2="${px(x(value))}" y1="${TOP}" y2="${bottom}"/>` +
      `<text x="${px(x(value))}" y="${bottom + 18}" text-anchor="middle">${short(value)}</text>`,
  )
  const ends = spread(lines.map(({ values }) => y(values.findLast((value) => value !== null) ?? 10 ** low)))
  const drawn = lines.map(({ label, values }, i) => {
    const points = values.flatMap((value, at) => (value === null ? [] : [[px(x(xs[at]!)), px(y(value))] as const]))
    const colour = COLOURS[i % COLOURS.length]
    const dash = DASHES[Math.floor(i / 2) % DASHES.length]
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2"${dash === '' ? '' : ` stroke-dasharray="${dash}"`} points="${points.map((point) => point.join(',')).join(' ')}"/>`,
      ...points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
      `<line stroke="${colour}" stroke-width="1" x1="${right + 2}" x2="${right + 12}" y1="${points.at(-1)?.[1] ?? 0}" y2="${px(ends[i]!)}"/>`,
      `<text class="label" x="${right + 16}" y="${px(ends[i]! + 4)}">${escaped(label)}</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.axis { stroke: #57606a; stroke-width: 1; }
.paper { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.grid { stroke: #30363d; }
.axis { stroke: #8b949e; }
.paper { fill: #0d1117; }
}
</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${LEFT}" y="24">${escaped(title)}</text>
${grid.join('\n')}
${places.join('\n')}
<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${bottom}"/>
<line class="axis" x1="${LEFT}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
<text x="${px((LEFT + right) / 2)}" y="${HEIGHT - 14}" text-anchor="middle">${escaped(xLabel)}</text>
<text transform="translate(18 ${px((TOP + bottom) / 2)}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>
${drawn.join('\n')}
</svg>
`
}

const powers = (low: number, high: number): number[] =>
  Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))

/** The same heights, moved apart where they are too near. */
function spread(heights: readonly number[]): number[] {
  const order = heights.map((at, i) => ({ at, i })).sort((a, b) => a.at - b.at)
  const placed: number[] = []
  let least = -Infinity
  for (const { at, i } of order) placed[i] = least = Math.max(at, least + LABEL_PX)
  return placed
}

function short(value: number): string {
  const units = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const
  for (const [size, unit] of units) if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`
  return String(Number(value.toPrecision(3)))
}

const px = (value: number): string => value.toFixed(1)
const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!)
