import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { format } from 'prettier'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/config.js'
import { startServer } from '../../src/main.js'
import { packageRoot } from '../../src/package-root.js'
import { declarations, type OpenApi } from './declare.js'

const dir = mkdtempSync(join(tmpdir(), 'spendgate-calls-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let document: OpenApi
beforeAll(async () => {
  const quiet = {
    SPENDGATE_PORT: '0',
    SPENDGATE_ADMIN_PORT: '0',
    SPENDGATE_LOG_LEVEL: 'silent',
    SPENDGATE_RECONCILE_MS: '0',
  }
  const server = await startServer(readConfig({ ...quiet, SPENDGATE_DATA_DIR: join(dir, 'data') }))
  const reply = await fetch(`${server.adminUrl}/admin/openapi.json`)
  document = (await reply.json()) as OpenApi
  await server.stop()
})

const root = packageRoot()

test('the types of the client are what the schemas of the admin API say', async () => {
  // After a change of the schemas: npx vitest run test/client-api -u
  await expect(await declarations(document)).toMatchFileSnapshot(join(root, 'src/client/calls.ts'))
})

test('the declarations that are shipped are what the compiler makes of the client', async () => {
  const given = ['--declaration', '--emitDeclarationOnly', '--outDir', dir, '--rootDir', join(root, 'src/client')]
  const mode = [
    '--ignoreConfig',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--skipLibCheck',
    '--types',
    'node',
  ]
  execFileSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    ...given,
    ...mode,
    join(root, 'src/client/index.ts'),
  ])
  for (const name of ['index.d.ts', 'calls.d.ts']) {
    const text = await format(readFileSync(join(dir, name), 'utf8'), {
      parser: 'typescript',
      semi: false,
      singleQuote: true,
      printWidth: 120,
    })
    await expect(text).toMatchFileSnapshot(join(root, 'src/client/types', name))
  }
})

test('every call says what it is for, what it gives, and what a refusal looks like', () => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
  )
  expect(operations.length).toBeGreaterThan(45)
  const bare = operations.filter(({ operation: { summary, responses } }) => {
    const [done] = Object.entries(responses).filter(([status]) => status !== 'default')
    return (
      summary === '' ||
      responses.default?.content?.['application/problem+json'] === undefined ||
      (done![0] !== '204' && done![1].content === undefined)
    )
  })
  expect(bare.map(({ name }) => name)).toEqual([])
})
