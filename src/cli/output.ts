import { parseUsd, usd, type Usd } from '../contracts/money.js'

/** How text looks on one stream. Every text from outside passes through here before a terminal sees it. */
export interface Style {
  paint(tone: Tone, text: string): string
  /** Whether bars may be drawn. */
  readonly bars: boolean
}
export type Tone = 'plain' | 'good' | 'bad' | 'warn' | 'faint' | 'strong'

const SGR: Readonly<Record<Tone, string>> = { plain: '', good: '32', bad: '31', warn: '33', faint: '2', strong: '1' }

/** Colour only on a terminal, unless FORCE_COLOR asks; NO_COLOR (no-color.org), TERM=dumb and --no-color forbid it. */
export function styleFor(tty: boolean, env: NodeJS.ProcessEnv, colorWanted: boolean): Style {
  const forced = (env.FORCE_COLOR ?? '') !== '' && env.FORCE_COLOR !== '0'
  const color = colorWanted && (env.NO_COLOR ?? '') === '' && (forced || (tty && env.TERM !== 'dumb'))
  return {
    bars: tty && env.TERM !== 'dumb',
    paint: (tone, text) => (color && SGR[tone] !== '' ? `\u001b[${SGR[tone]}m${text}\u001b[0m` : text),
  }
}

// Run ids, paths, reasons and names are chosen by agents. Control characters could move the operator's cursor, and
// bidirectional marks could make a refusal read like a permission.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu

/** Text that can do nothing to a terminal but be read. */
export const safe = (text: string): string => text.replace(UNSAFE, '\ufffd')

/** JSON that can do nothing to a terminal either. JSON.stringify leaves C1 controls and bidirectional marks in. */
export function json(value: unknown, indent: boolean): string {
  const text = JSON.stringify(value, null, indent ? 2 : undefined)
  return text.replace(UNSAFE, (found) =>
    found === '\n' ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

export type Cell = string | { readonly text: string; readonly tone: Tone }
export interface Column {
  readonly title: string
  readonly right?: boolean
}

/** Rows under titles, aligned by what a terminal shows rather than by string length. Ends with a line break. */
export function table(style: Style, columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const titles = columns.map(({ title }): Cell => ({ text: title, tone: 'faint' }))
  const lines = [titles, ...rows].map((row) => row.map(cleaned))
  const widths = columns.map((_, i) => Math.max(...lines.map((row) => displayWidth(row[i]?.text ?? ''))))
  return lines.map((row) => `${drawn(style, columns, widths, row)}\n`).join('')
}

function drawn(style: Style, columns: readonly Column[], widths: readonly number[], row: readonly Painted[]): string {
  const last = row.length - 1
  return row
    .map((cell, i) => {
      const gap = ' '.repeat((widths[i] ?? 0) - displayWidth(cell.text))
      const text = style.paint(cell.tone, cell.text)
      if (columns[i]?.right) return gap + text
      return i === last ? text : text + gap
    })
    .join('  ')
    .trimEnd()
}

type Painted = Exclude<Cell, string>
const cleaned = (cell: Cell): Painted =>
  typeof cell === 'string' ? { text: safe(cell), tone: 'plain' } : { text: safe(cell.text), tone: cell.tone }

/** Label and value pairs, one a line; pairs without a value are left out. */
export function facts(style: Style, pairs: readonly (readonly [string, string | null | undefined])[]): string {
  const present = pairs.filter(
    (pair): pair is readonly [string, string] => typeof pair[1] === 'string' && pair[1] !== '',
  )
  const width = Math.max(0, ...present.map(([label]) => displayWidth(label)))
  return present
    .map(
      ([label, value]) =>
        `  ${style.paint('faint', label)}${' '.repeat(width - displayWidth(label))}  ${safe(value)}\n`,
    )
    .join('')
}

/** Made for the first text that needs it: to read the tables of characters takes ten milliseconds of every command. */
let graphemes: Intl.Segmenter | null = null
/** ASCII without control characters: a column each. */
const PLAIN = /^[ -~]*$/
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})/u
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

/** Columns a terminal gives the text: two for East Asian wide characters and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    if (INVISIBLE.test(segment)) continue
    width += WIDE.test(segment) || segment.includes('\ufe0f') ? 2 : 1
  }
  return width
}

/** "$41.80"; a dash for what is absent. The text of the API is shown as it came: no float ever reads it. */
export const dollars = (text: string | null | undefined): string => {
  if (text === null || text === undefined || text === '') return '–'
  return text.startsWith('-') ? `-$${text.slice(1)}` : `$${text}`
}
/** The same, with a dash for nothing, where a zero would only be noise. */
export const dollarsOrDash = (text: string | null | undefined): string => (text === '0.00' ? '–' : dollars(text))

const BAR_WIDTH = 20n

/** `██████░░░░░░░░░░░░░░  31%` of what is used of a cap; the percentage alone where bars cannot be drawn. */
export function usedBar(style: Style, used: Usd, cap: Usd): string {
  if (cap <= 0n) return used > 0n ? 'over' : '–'
  const percent = `${((used * 100n) / cap).toString().padStart(3)}%`
  if (!style.bars) return percent
  const reach = (used * BAR_WIDTH) / cap
  const filled = Number(reach > BAR_WIDTH ? BAR_WIDTH : reach < 0n ? 0n : reach)
  return `${'█'.repeat(filled)}${'░'.repeat(Number(BAR_WIDTH) - filled)} ${percent}`
}

/** Sum of decimal texts from the API in micro-USD; null when one of them is not a plain amount. */
export function sumUsd(...texts: readonly (string | null | undefined)[]): Usd | null {
  let sum = 0n
  for (const text of texts) {
    const amount = parseUsd(text ?? '0')
    if (amount === null) return null
    sum += amount
  }
  return usd(sum)
}

/** `2026-11-21 14:03:11` (UTC) for a table; the instant as it came when it is not one. */
export function instant(text: string | null | undefined): string {
  if (text === null || text === undefined) return '–'
  const found = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d+)?Z$/.exec(text)
  return found ? `${found[1]} ${found[2]}` : text
}

/** A span in the two largest units that matter: `6 h 12 m`, `9 s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [d, h, m, s] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ]
  if (d > 0) return h > 0 ? `${d} d ${h} h` : `${d} d`
  if (h > 0) return m > 0 ? `${h} h ${m} m` : `${h} h`
  if (m > 0) return s > 0 ? `${m} m ${s} s` : `${m} m`
  return `${s} s`
}
