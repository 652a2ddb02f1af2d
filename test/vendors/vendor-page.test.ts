import { expect, test } from 'vitest'
import { vendorPage } from '../../scripts/vendor-tables.mjs'
import type { Operation, Vendor } from '../../src/contracts/vendor.js'
import { resend } from '../../vendors/resend/index.js'

const page = (operations: readonly Operation[], tools: Vendor['tools'] = []): string => {
  const vendor: Vendor = { ...resend, operations, tools, idempotent: ({ id }) => id === 'cards.create' }
  return vendorPage(vendor)
}
const create: Operation = { id: 'cards.create', routes: ['POST /cards'], effect: 'spend', source: 'spec, 2026-11' }

test('operations stand by product, with their source above the table', () => {
  const text = page([
    create,
    { id: 'logs.list', routes: ['GET /logs'], effect: 'read', source: 'spec, 2026-11' },
    create,
  ])
  expect(text).toContain('## Understood (3)')
  expect(text).toContain(
    '### cards (2)\n\nSource: spec, 2026-11.\n\n| operation | routes | effect | idempotency key |\n|---|---|---|---|\n| `cards.create` | `POST /cards` | spend | yes |\n',
  )
  expect(text).toContain('### logs (1)\n\nSource: spec, 2026-11.\n\n| operation | routes | effect |\n')
})

test('sources that differ stand with their operations', () => {
  const text = page([create, { ...create, id: 'cards.get', routes: ['GET /cards'], effect: 'read', source: 'sdk 1' }])
  expect(text).toContain('| `cards.get` | `GET /cards` | read |  | sdk 1 |')
  expect(text).not.toContain('Source: spec')
})

test('an operation says why, where it is weaker, what it hides, that it is a preview and which tools do it', () => {
  const described: Operation = {
    ...create,
    effect: 'write',
    why: 'It costs nothing.',
    weaker: 'Nobody is asked | told.',
    reveals: ['url', 'token'],
    preview: true,
    host: 'files.resend.com',
  }
  const tool = { description: 'Makes one.', properties: {} }
  const text = page(
    [described],
    [
      { ...tool, name: 'make_card', route: 'POST /cards' },
      { ...tool, name: 'other', route: 'POST /others' },
    ],
  )
  expect(text).toContain(
    '| `cards.create` | `POST /cards` at `files.resend.com` | write, preview | yes | `make_card` | `url`, `token` | It costs nothing. Weaker than listed: Nobody is asked \\| told. |',
  )
})

test('what is closed stands apart, under the name that unlocks it', () => {
  const text = page([
    create,
    { ...create, id: 'keys.get', routes: ['GET /keys'], never: 'Keys leak.', reveals: ['token'] },
  ])
  expect(text).toContain('## Understood (1)')
  expect(text).toContain('## Closed, whatever a policy says (1)')
  expect(text).toContain('| `keys.get` | `GET /keys` | spend | `token` | Keys leak. |')
})
