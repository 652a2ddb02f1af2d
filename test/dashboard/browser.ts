import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { expect } from 'vitest'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** A Chromium on this machine, or null. */
export function findChromium(): string | null {
  for (const directory of (process.env.PATH ?? '').split(delimiter))
    for (const name of NAMES) {
      const file = join(directory, name)
      try {
        accessSync(file, constants.X_OK)
        return file
      } catch {
        continue
      }
    }
  return null
}

/** Containers often allow no user namespaces, which its sandbox needs; it sees nothing here but our own pages. */
export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] })

export interface Shape {
  readonly width: number
  readonly height: number
  readonly colorScheme: 'light' | 'dark'
}
export const WIDE: Shape = { width: 1280, height: 800, colorScheme: 'light' }
export const DARK: Shape = { width: 1280, height: 800, colorScheme: 'dark' }
export const PHONE: Shape = { width: 390, height: 844, colorScheme: 'light' }

/** A page in a browser of its own that signed in, with all that its console said. */
export async function open(
  browser: Browser,
  { width, height, colorScheme }: Shape,
  url: string,
): Promise<{ readonly page: Page; readonly said: string[]; close(): Promise<void> }> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    locale: 'en-GB',
    timezoneId: 'UTC',
  })
  const page = await context.newPage()
  const said: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') said.push(message.text())
  })
  page.on('pageerror', (error) => said.push(error.message))
  await page.goto(url)
  expect(page.url()).toMatch(/\/dashboard$/)
  return { page, said, close: () => context.close() }
}
