import { statSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/package-root.js'
import { World } from '../helpers/world.js'
import { DARK, findChromium, launch, open, PHONE, WIDE } from './browser.js'
import { aMorning, hire, outcome, payOf, RUN, type Cast } from './story.js'

/* The whole product with the real stripe package on one side and a real browser on the other. */

const executable = findChromium()
if (executable === null)
  process.stderr.write('test/dashboard/browser.test.ts: skipped, no chromium or google-chrome on PATH.\n')

interface Violation {
  readonly id: string
  readonly impact: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** What axe finds that would keep somebody from using the page. */
async function faultsOf(page: Page): Promise<readonly string[]> {
  // In the page's own world, as its content security policy allows no script of others.
  const found = (await page.evaluate(
    `(() => { ${axe.source}; return axe.run(document, { resultTypes: ['violations'] }) })()`,
  )) as {
    violations: Violation[]
  }
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) => `${id}: ${node.html} ${node.failureSummary}`))
}

/** Pages are asked for again at most once a second, and the machine may be busy. */
const SOON = { timeout: 10_000 }

const amountIn = (text: string | null): number => Number(text!.trim().replace(/[$,]/g, ''))

describe.runIf(executable !== null)('the dashboard in a browser', () => {
  let world: World
  let browser: Browser
  let cast: Cast
  beforeAll(async () => {
    world = await World.start()
    world.stripe.seed()
    cast = await hire(world)
    await aMorning(world, cast)
    browser = await launch(executable!)
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await world?.close()
  })

  const visit = (shape = WIDE): ReturnType<typeof open> => open(browser, shape, world.server.signInUrl())

  test('the spend line grows while the page is open', async () => {
    const { page, said, close } = await visit()
    await page.locator('.plot canvas').waitFor()
    const points = (): Promise<number[][]> =>
      page
        .locator('#line')
        .evaluate((part) => JSON.parse((part as unknown as { dataset: { points: string } }).dataset.points))
    const before = {
      spent: amountIn(await page.locator('#spent-today').textContent()),
      end: (await points())[2]!.at(-1)!,
    }
    expect(before.end).toBeCloseTo(before.spent, 1)
    expect(before.spent).toBeGreaterThan(0)

    expect(await outcome(payOf(cast.stripe, 310))).toBe('passed')
    await expect
      .poll(async () => amountIn(await page.locator('#spent-today').textContent()), SOON)
      .toBeCloseTo(before.spent + 3.1, 1)
    await expect.poll(async () => (await points())[2]!.at(-1), SOON).toBeCloseTo(before.spent + 3.1, 1)
    expect(await page.locator('.plot canvas').count()).toBe(1)
    expect(said).toEqual([])
    await close()
  })

  test('approving lets exactly one call pass', async () => {
    const { page, said, close } = await visit()
    expect(await outcome(payOf(cast.stripe, 6100))).toBe('approval_required')
    await page
      .getByRole('link', { name: /^Approvals/ })
      .first()
      .click()
    await expect.poll(() => page.locator('.request').count(), SOON).toBe(1)
    expect(await page.locator('.request').textContent()).toContain('$61.00')
    await page.getByLabel(/^Why/).fill('known customer')
    await page.getByRole('button', { name: 'Approve once' }).click()
    expect(await page.getByRole('status').textContent()).toContain('passes once')

    expect(await outcome(payOf(cast.stripe, 6100))).toBe('passed')
    expect(await outcome(payOf(cast.stripe, 6100))).toBe('approval_required')
    await expect.poll(() => page.locator('.decided tr.used, .decided .state.used').count(), SOON).toBe(1)
    await page.locator('.request').getByRole('button', { name: 'Deny' }).click()
    expect(await page.getByRole('status').textContent()).toContain('Denied')
    expect(await outcome(payOf(cast.stripe, 6100))).toBe('approval_required')
    expect(said).toEqual([])
    await close()
  })

  test('calls appear by themselves, and a filter keeps to what fits', async () => {
    const { page, close } = await visit()
    await page.goto(`${world.server.adminUrl}/dashboard/calls`)
    await page.getByLabel('Decision').selectOption('denied')
    await page.getByRole('button', { name: 'Filter' }).click()
    const denied = await page.locator('table.calls tbody tr').count()
    expect(await outcome(payOf(cast.stripe, 100, 'cus_B'))).toBe('customer_not_allowed')
    expect(await outcome(payOf(cast.stripe, 100))).toBe('passed')
    await expect.poll(() => page.locator('table.calls tbody tr').count(), SOON).toBe(denied + 1)
    expect(await page.locator('table.calls tbody .state:not(.denied)').count()).toBe(0)
    await page.locator('table.calls tbody a').first().click()
    expect(await page.locator('.verdict').textContent()).toContain('customer_not_allowed')
    await close()
  })

  test('what the reader is writing is not taken away', async () => {
    const { page, close } = await visit()
    await page.getByText('Freeze all…').click()
    await page.getByLabel(/^Why/).fill('half a sen')
    const spent = amountIn(await page.locator('#spent-today').textContent())
    expect(await outcome(payOf(cast.stripe, 100))).toBe('passed')
    await expect
      .poll(async () => amountIn(await page.locator('#spent-today').textContent()), SOON)
      .toBeCloseTo(spent + 1, 2)
    expect(await page.getByLabel(/^Why/).inputValue()).toBe('half a sen')
    await close()
  })

  test('Freeze all stops everything, and unfreezing lets go', async () => {
    const { page, close } = await visit(PHONE)
    const seen = world.stripe.requests.length
    await page.getByText('Freeze all…').click()
    await page.getByLabel(/^Why/).fill('looking into it')
    await page.getByRole('button', { name: 'Freeze everything now' }).click()
    expect(await page.getByRole('alert').textContent()).toContain('Everything is frozen')
    expect(await outcome(payOf(cast.stripe, 100))).toBe('key_frozen')
    expect(world.stripe.requests.length).toBe(seen)
    await page.getByRole('button', { name: 'Unfreeze everything' }).click()
    expect(await page.getByRole('alert').count()).toBe(0)
    expect(await outcome(payOf(cast.stripe, 100))).toBe('passed')
    await close()
  })

  test('without scripts every page is whole', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(world.server.signInUrl())
    expect(amountIn(await page.locator('#spent-today').textContent())).toBeGreaterThan(0)
    await page.getByText('In numbers').click()
    expect(await page.locator('#line tbody tr').count()).toBeGreaterThan(5)
    await page.getByRole('link', { name: 'Runs' }).click()
    expect(await page.locator('table.runs').textContent()).toContain(RUN)
    await context.close()
  })

  test.each([
    ['light', WIDE],
    ['dark', DARK],
    ['phone', PHONE],
  ] as const)(
    'axe finds nothing serious on any screen, and nothing runs over the edge: %s',
    async (name, shape) => {
      await outcome(payOf(cast.stripe, 7000 + shape.width))
      const { page, said, close } = await visit(shape)
      const denied = (await world.calls('&state=denied'))[0].id as string
      const screens: readonly (readonly [string, string])[] = [
        ['now', ''],
        ['runs', '/runs'],
        ['run', `/runs/${RUN}`],
        ['calls', '/calls'],
        ['call', `/calls/${denied}`],
        ['approvals', '/approvals'],
        ['keys', '/keys'],
        ['key', `/keys/${cast.support.id}`],
        ['new-key', '/keys/new'],
        ['policies', '/policies'],
        ['policy', '/policies/policy-1'],
        ['vendors', '/vendors'],
        ['audit', '/audit'],
      ]
      for (const [screen, path] of screens) {
        await page.goto(`${world.server.adminUrl}/dashboard${path}`)
        if (screen === 'now' || screen === 'run') await page.locator('.plot canvas').waitFor()
        expect(await faultsOf(page), `${screen} ${name}`).toEqual([])
        const [wanted, there] = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as number[]
        expect(wanted, `${screen} ${name}`).toBeLessThanOrEqual(there!)
        await picture(page, `${screen}-${name}`)
      }
      await page.getByRole('button', { name: 'Sign out' }).click()
      expect(await faultsOf(page)).toEqual([])
      await picture(page, `sign-in-${name}`)
      expect(said).toEqual([])
      await close()
    },
    120_000,
  )

  test('a request is tried, and the past is played again, on the page of a policy', async () => {
    const { page, said, close } = await visit()
    await page.goto(`${world.server.adminUrl}/dashboard/policies/policy-1`)
    await page.getByLabel('Path').fill('/v1/payment_intents')
    await page.getByLabel('Parameters').fill('amount=9900\ncurrency=usd\ncustomer=cus_A\nconfirm=true')
    await page.getByRole('button', { name: 'Try the request' }).click()
    expect(await page.getByRole('status').textContent()).toContain('amount_over_limit')
    expect(await page.getByLabel('Parameters').inputValue()).toContain('amount=9900')
    expect(await faultsOf(page)).toEqual([])
    await page.getByText('Change the document first').click()
    const document = page.getByLabel('The document, as YAML or JSON')
    await document.fill((await document.inputValue()).replace('"90.00"', '"20.00"'))
    await page.getByRole('button', { name: 'Back-test' }).click()
    await page.getByText('Would be refused now').waitFor()
    expect(await page.getByRole('status').textContent()).toContain('amount_over_limit')
    expect(await faultsOf(page)).toEqual([])
    await picture(page, 'back-test-light')
    expect(said).toEqual([])
    await close()
  })

  test('revoking from the run page stops the next call', async () => {
    const { page, close } = await visit()
    await page.getByRole('link', { name: 'Runs' }).click()
    await page.getByRole('link', { name: RUN }).click()
    expect(await outcome(payOf(cast.stripe, 100))).toBe('passed')
    await page.getByText(/^Revoke key/).click()
    await page.getByLabel(/^Why/).fill('it went wrong')
    await page.getByRole('button', { name: 'Revoke for good' }).click()
    expect(await page.getByRole('status').textContent()).toContain('is revoked')
    const seen = world.stripe.requests.length
    expect(await outcome(payOf(cast.stripe, 100))).toBe('key_revoked')
    expect(world.stripe.requests.length).toBe(seen)
    await close()
  })

  /** Pictures for the documents are made anew only when asked for: they differ by a pixel from machine to machine. */
  async function picture(page: Page, name: string): Promise<void> {
    if (process.env.SPENDGATE_SCREENSHOTS === undefined) return
    const file = join(packageRoot(), 'docs', 'screenshots', `${name}.png`)
    await page.screenshot({ path: file })
    expect(statSync(file).size).toBeLessThan(200_000)
  }
})
