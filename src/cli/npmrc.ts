import { pathToFileURL } from 'node:url'

/*
 * npm's user settings: `node-options` in them becomes NODE_OPTIONS of whatever npx starts (measured, npm 10 and 11), and
 * takes the place of a NODE_OPTIONS that was there. One line may hold several options of several tools.
 */

const LINE = /^[ \t]*node-options[ \t]*=[ \t]*(.*?)[ \t]*$/m

/** The option that loads a preload. A path with a space cannot stand in --require here, and on Windows neither can a drive. */
export function loadOption(file: string, platform: NodeJS.Platform = process.platform): string {
  return /\s/.test(file) || platform === 'win32' ? `--import=${pathToFileURL(file).href}` : `--require=${file}`
}

/** The text with our option in it, once, beside whatever else stands there. */
export function withOption(text: string, option: string): string {
  const without = withoutOption(text)
  const line = LINE.exec(without)
  if (line === null) return `${without}${without === '' || without.endsWith('\n') ? '' : '\n'}node-options=${option}\n`
  const others = unquoted(line[1]!)
  return without.replace(LINE, () => `node-options=${others === '' ? option : `${others} ${option}`}`)
}

/** The text without our option; a line that held nothing else goes, too. */
export function withoutOption(text: string): string {
  const line = LINE.exec(text)
  if (line === null || !OURS.test(unquoted(line[1]!))) return text
  const others = unquoted(line[1]!).replace(new RegExp(OURS, 'g'), ' ').trim().replace(/\s+/g, ' ')
  if (others !== '') return text.replace(LINE, () => `node-options=${others}`)
  return text.replace(/^[ \t]*node-options[ \t]*=.*(?:\r?\n|$)/m, '')
}

/** What npm will hand to Node, or null. */
export const optionsIn = (text: string): string | null => {
  const line = LINE.exec(text)
  return line === null ? null : unquoted(line[1]!)
}

/** Ours is known by the name of its file in a folder of that name, wherever that is. */
const OURS = /(?:^|\s)--(?:require|import)(?:=|\s+)"?\S*spendgate[/\\]preload\.c?js"?(?=\s|$)/

/** npm's settings may be quoted as a whole. */
const unquoted = (value: string): string => /^"(.*)"$/.exec(value)?.[1] ?? /^'(.*)'$/.exec(value)?.[1] ?? value
