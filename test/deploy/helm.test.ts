import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { SETTINGS } from '../../src/config.js'
import { packageRoot } from '../../src/package-root.js'
import { have, run, type Said } from './programs.js'

const chart = join(packageRoot(), 'deploy/helm/spendgate')
const read = (path: string): string => readFileSync(join(chart, path), 'utf8')
const templates = readdirSync(join(chart, 'templates'))
const helm = have('helm', 'helm template with Helm itself')
const go = helm || have('go', 'rendering the chart with text/template')

const dir = mkdtempSync(join(tmpdir(), 'spendgate-chart-'))
const program = join(dir, 'render')
beforeAll(() => {
  if (helm || !go) return
  const built = run('go', ['build', '-o', program, join(packageRoot(), 'test/deploy/render.go')], '', {
    ...process.env,
    GOCACHE: join(dir, 'cache'),
    GOFLAGS: '-mod=mod',
  })
  expect(built).toMatchObject({ status: 0, stderr: '' })
}, 120_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

type Values = Readonly<Record<string, unknown>>
const IMAGE = { image: { repository: 'registry.example/spendgate' } }
const POSTGRES = { ...IMAGE, database: { secret: 'database' }, keys: { secret: 'keys' } }

/** By Helm where it is, else by Go's text/template, which is what Helm runs templates with. */
function rendered(values: Values): Said {
  if (helm) {
    const file = join(dir, 'values.json')
    writeFileSync(file, JSON.stringify(values))
    return run('helm', ['template', 'gate', chart, '--namespace', 'spendgate', '--values', file])
  }
  const asked = {
    templates: Object.fromEntries(templates.map((name) => [name, read(`templates/${name}`)])),
    values: merged(parse(read('values.yaml')) as Values, values),
    release: { Name: 'gate', Namespace: 'spendgate' },
    chart: { AppVersion: (parse(read('Chart.yaml')) as { appVersion: string }).appVersion },
  }
  const said = run(program, [], JSON.stringify(asked))
  if (said.status !== 0) return said
  const files = Object.entries(JSON.parse(said.stdout) as Record<string, string>)
  return { ...said, stdout: files.flatMap(([name, text]) => (name.endsWith('.yaml') ? [text] : [])).join('\n---\n') }
}

function merged(base: Values, over: Values): Values {
  const both = Object.entries(over).map(([name, value]) => {
    const below = base[name]
    const deep = isObject(below) && isObject(value)
    return [name, deep ? merged(below, value) : value]
  })
  return { ...base, ...(Object.fromEntries(both) as Values) }
}
const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function objects(values: Values): Record<string, any> {
  const said = rendered(values)
  expect(said.stderr).toBe('')
  const found = parseAllDocuments(said.stdout, { uniqueKeys: true }).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as { kind: string; apiVersion: string; metadata: { name: string } } | null
  })
  const whole = found.filter((each) => each !== null)
  for (const each of whole) expect(each).toMatchObject({ apiVersion: expect.any(String), metadata: { name: 'gate' } })
  return Object.fromEntries(whole.map((each) => [each.kind, each]))
}

const podOf = (kinds: Record<string, any>): any => (kinds.StatefulSet ?? kinds.Deployment).spec.template.spec
const variablesOf = (kinds: Record<string, any>): Record<string, unknown> =>
  Object.fromEntries(
    podOf(kinds).containers[0].env.map(({ name, value, valueFrom }: any) => [name, value ?? valueFrom]),
  )

describe.runIf(go)('the chart, rendered', () => {
  test.each([
    ['two replicas on SQLite', { ...IMAGE, replicas: 2 }, /replicas is 2, and database\.secret is empty/],
    ['PostgreSQL without keys', { ...IMAGE, database: { secret: 'database' } }, /keys\.secret is empty/],
    ['no image', {}, /image\.repository is empty/],
  ])('%s is refused with what to do', (_, values, why) => {
    const { status, stderr } = rendered(values)
    expect(status).not.toBe(0)
    expect(stderr).toMatch(why)
  })

  test('on SQLite one server has one volume, and nothing but the agent port is open', () => {
    const kinds = objects(IMAGE)
    expect(Object.keys(kinds).sort()).toEqual(['NetworkPolicy', 'Service', 'StatefulSet'])
    expect(kinds.StatefulSet.spec).toMatchObject({
      replicas: 1,
      volumeClaimTemplates: [{ metadata: { name: 'ledger' } }],
    })
    expect(kinds.Service.spec.ports.map(({ port }: any) => port)).toEqual([4242])
    expect(variablesOf(kinds)).toEqual({ SPENDGATE_DATA_DIR: '/data/spendgate', SPENDGATE_HOST: '0.0.0.0' })
    expect(podOf(kinds).containers[0].readinessProbe.exec.command[2]).toContain("path: '/readyz'")
  })

  test('on PostgreSQL replicas share database and keys, and roll one by one', () => {
    const kinds = objects({ ...POSTGRES, replicas: 3, networkPolicy: { database: { cidrs: ['10.1.2.3/32'] } } })
    expect(Object.keys(kinds).sort()).toEqual(['Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service'])
    expect(kinds.Deployment.spec).toMatchObject({
      replicas: 3,
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    })
    expect(variablesOf(kinds)).toMatchObject({
      DATABASE_URL: { secretKeyRef: { name: 'database', key: 'DATABASE_URL' } },
      SPENDGATE_MASTER_KEY_FILE: '/keys/master-key',
      SPENDGATE_ADMIN_TOKEN_FILE: '/keys/admin-token',
      SPENDGATE_CHECKPOINTS: '-',
    })
    const reached = kinds.NetworkPolicy.spec.egress.flatMap(({ to, ports }: any) =>
      to.flatMap(({ ipBlock }: any) => (ipBlock ? [[ipBlock.cidr, ports[0].port]] : [])),
    )
    expect(reached).toEqual([
      ['0.0.0.0/0', 443],
      ['::/0', 443],
      ['10.1.2.3/32', 5432],
    ])
  })

  test('with a certificate the admin port is served under its names, to operators only', () => {
    const kinds = objects({ ...IMAGE, admin: { tlsSecret: 'tls', hostNames: ['gate.example', 'gate.spendgate'] } })
    expect(variablesOf(kinds)).toMatchObject({
      SPENDGATE_ADMIN_HOST: '0.0.0.0',
      SPENDGATE_TLS_CERT: '/tls/tls.crt',
      SPENDGATE_ADMIN_HOST_NAMES: 'gate.example,gate.spendgate',
    })
    expect(podOf(kinds).containers[0].livenessProbe.httpGet).toEqual({
      scheme: 'HTTPS',
      port: 'admin',
      path: '/healthz',
    })
    expect(kinds.Service.spec.ports.map(({ port }: any) => port)).toEqual([4242, 4243])
    expect(kinds.NetworkPolicy.spec.ingress.map(({ ports }: any) => ports[0].port)).toEqual([4242, 4243])
  })

  test.each([
    ['SQLite', { ...IMAGE, keys: { secret: 'keys' } }],
    ['PostgreSQL', POSTGRES],
  ])('on %s the pod is nobody, can write its volume alone, and has longer to end than calls have', (_, values) => {
    const pod = podOf(objects(values))
    const [container] = pod.containers
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, fsGroupChangePolicy: 'OnRootMismatch' })
    expect(pod).toMatchObject({ automountServiceAccountToken: false, terminationGracePeriodSeconds: 45 })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const writable = container.volumeMounts.filter(({ readOnly }: any) => readOnly !== true)
    expect(writable.map(({ mountPath }: any) => mountPath)).toEqual(['/data'])
    // A secret that others could read would stop the server; the group may.
    expect(pod.volumes.find(({ name }: any) => name === 'keys').secret.defaultMode & 0o037).toBe(0)
  })
})

test('the variables that the chart sets are ones that the server reads', () => {
  const known = new Set(SETTINGS.map((name) => `SPENDGATE_${name.toUpperCase().replaceAll('-', '_')}`))
  for (const name of ['MASTER_KEY_FILE', 'ADMIN_TOKEN_FILE']) known.add(`SPENDGATE_${name}`)
  const named = [...read('templates/_pod.tpl').matchAll(/name: (SPENDGATE_\w+)/g)].map(([, name]) => name!)
  expect(named.length).toBeGreaterThan(7)
  expect(named.filter((name) => !known.has(name))).toEqual([])
})

test('the shipped values fit their schema, and a misspelt one does not', () => {
  const schema = z.fromJSONSchema(JSON.parse(read('values.schema.json')) as Parameters<typeof z.fromJSONSchema>[0])
  const values = parse(read('values.yaml')) as Values
  expect(schema.safeParse({ ...values, replica: 2 }).success).toBe(false)
  expect(schema.safeParse({ ...values, replicas: 'two' }).success).toBe(false)
  expect(schema.safeParse(values)).toMatchObject({ success: true })
})

test('every value is used, and every value used is declared', () => {
  const paths = (value: unknown, at: string): string[] =>
    isObject(value) && Object.keys(value).length > 0 && !/\.(agents|operators|resources)$/.test(at)
      ? Object.entries(value).flatMap(([name, below]) => paths(below, `${at}.${name}`))
      : [at]
  const declared = paths(parse(read('values.yaml')), '.Values')
  const text = templates.map((name) => read(`templates/${name}`)).join('\n')
  const used = new Set([...text.matchAll(/\.Values(?:\.\w+)+/g)].map(([path]) => path))
  expect(declared.filter((path) => !used.has(path))).toEqual([])
  expect([...used].filter((path) => !declared.includes(path))).toEqual([])
})
