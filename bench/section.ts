/** The page with a section of today in the place of the old one, or before the last section when there is none. */
export function withSection(page: string, section: string): string {
  const heading = section.slice(0, section.indexOf('\n'))
  const from = page.indexOf(`${heading}\n`)
  const last = page.indexOf('## What is not measured')
  if (last === -1)
    throw new Error('docs/performance.md has no section «What is not measured»: write the whole page first.')
  if (from === -1) return `${page.slice(0, last)}${section}\n${page.slice(last)}`
  return `${page.slice(0, from)}${section}\n${page.slice(page.indexOf('\n## ', from) + 1)}`
}
