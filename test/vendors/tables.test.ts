import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { vendorPage } from '../../scripts/vendor-tables.mjs'
import { packageRoot } from '../../src/package-root.js'
import { vendors } from '../../vendors/index.js'

for (const vendor of vendors) {
  test(`docs/vendors/${vendor.name}.md is what the catalogue says; if not: npm run build && node scripts/vendor-tables.mjs`, () => {
    const page = vendorPage(vendor)
    expect(readFileSync(join(packageRoot(), `docs/vendors/${vendor.name}.md`), 'utf8')).toBe(page)
    for (const { routes } of vendor.operations) for (const route of routes) expect(page).toContain(`\`${route}\``)
  })
}
