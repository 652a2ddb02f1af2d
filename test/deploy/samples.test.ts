import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { packageRoot } from '../../src/package-root.js'
import { have, run } from './programs.js'

const root = packageRoot()
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-deploy-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Service {
  readonly image: string
  readonly build?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly stop_grace_period?: string
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly networks: readonly string[]
  readonly env_file?: readonly string[]
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: object
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>
}
const compose = (name: string): Compose => parse(read(`deploy/compose/${name}.yaml`), { merge: true }) as Compose
const KINDS = ['sqlite', 'postgres']

describe('compose', () => {
  test.each(KINDS)('%s: what is named is declared', (name) => {
    const { services, volumes, networks } = compose(name)
    for (const service of Object.values(services)) {
      const named = (service.volumes ?? []).map((each) => each.split(':')[0]!)
      expect(named.filter((each) => !each.startsWith('./') && !(each in volumes))).toEqual([])
      expect(service.networks.filter((each) => !(each in networks))).toEqual([])
      if (service.build !== undefined)
        expect(existsSync(join(root, 'deploy/compose', service.build, 'Dockerfile'))).toBe(true)
    }
  })

  test.each(KINDS)(
    '%s: a server may write its volume alone, has no powers, and has longer to end than calls have',
    (name) => {
      const servers = Object.values(compose(name).services).filter(({ image }) => image === 'spendgate')
      expect(servers.length).toBe(name === 'sqlite' ? 1 : 2)
      for (const server of servers) {
        expect(server).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
        expect(Number.parseInt(server.stop_grace_period!)).toBeGreaterThan(25)
        expect(server.volumes).toEqual([expect.stringMatching(/^[\w-]+:\/data$/)])
      }
    },
  )

  test('nothing publishes the admin port, and plain HTTP is published on loopback only', () => {
    const published = KINDS.map((name) => Object.values(compose(name).services).flatMap(({ ports = [] }) => ports))
    expect(published).toEqual([['127.0.0.1:4242:4242'], ['4242:4242']])
    expect(compose('postgres').services.front!.ports).toEqual(['4242:4242'])
    expect(read('deploy/compose/postgres/nginx.conf')).toMatch(/^ *listen 4242 ssl;$/m)
  })

  test('the database is in a network that leads nowhere', () => {
    const { services, networks } = compose('postgres')
    expect(services.database!.networks).toEqual(['inside'])
    expect(networks.inside).toEqual({ internal: true })
    expect(compose('sqlite').networks.agents).toEqual({ internal: true })
  })

  test.runIf(have('openssl', 'making the secrets of the compose file'))(
    'secrets are made once, for their owner alone',
    () => {
      const script = join(dir, 'secrets.sh')
      copyFileSync(join(root, 'deploy/compose/postgres/secrets.sh'), script)
      chmodSync(script, 0o755)
      expect(run(script, [])).toMatchObject({ status: 0, stdout: '' })
      const node = readFileSync(join(dir, 'node.env'), 'utf8')
      const [, key] = /^SPENDGATE_MASTER_KEY=(.+)$/m.exec(node)!
      expect(Buffer.from(key!, 'base64')).toHaveLength(32)
      const [, password] = /^POSTGRES_PASSWORD=(.+)$/m.exec(readFileSync(join(dir, 'database.env'), 'utf8'))!
      expect(node).toContain(`DATABASE_URL=postgres://spendgate:${password}@database:5432/spendgate`)
      for (const name of ['node.env', 'database.env', 'tls/tls.key'])
        expect(statSync(join(dir, name)).mode & 0o077).toBe(0)
      expect(run(script, [])).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing was changed') })
      expect(readFileSync(join(dir, 'node.env'), 'utf8')).toBe(node)
    },
  )

  test('what the script makes is never committed nor put into an image', () => {
    expect(read('deploy/compose/postgres/.gitignore').split('\n')).toEqual(expect.arrayContaining(['*.env', 'tls/']))
    expect(read('.dockerignore').split('\n')).toEqual(expect.arrayContaining(['*.env', 'deploy', '.git']))
  })
})

describe('the image', () => {
  const dockerfile = read('Dockerfile')
  const manifest = JSON.parse(read('package.json')) as { files: readonly string[] }

  test('it runs as nobody much, and its health is asked', () => {
    expect(dockerfile).toMatch(/^USER node$/m)
    expect(dockerfile).toMatch(/^HEALTHCHECK /m)
    expect(dockerfile.lastIndexOf('USER node')).toBeGreaterThan(dockerfile.lastIndexOf('RUN '))
  })

  test('it has what the package has, but for what people read', () => {
    const papers = ['docs', 'SECURITY.md', 'CHANGELOG.md', 'src/client/types']
    const needed = manifest.files.filter((path) => !papers.includes(path) && !path.startsWith('!'))
    const copied = dockerfile.split('\n').filter((line) => line.startsWith('COPY --from=build'))
    const missing = needed.filter(
      (path) => !copied.some((line) => line.includes(path.replace(/\/sitecustomize\.py$/, ''))),
    )
    expect(missing).toEqual([])
  })

  const daemon = have('docker', 'docker build') && run('docker', ['version', '--format', '{{.Server.Version}}'])
  if (daemon && daemon.status !== 0) console.log('docker build is skipped: no docker daemon answers here.')
  test.runIf(daemon && daemon.status === 0)(
    'it builds',
    () => expect(run('docker', ['build', '--quiet', root])).toMatchObject({ status: 0 }),
    600_000,
  )
})

describe('the service', () => {
  const unit = read('deploy/systemd/spendgate.service')

  test.runIf(have('systemd-analyze', 'systemd-analyze verify'))('systemd takes it, and finds it shut in', () => {
    const file = join(dir, 'spendgate.service')
    // What is checked is the unit and not whether the program is installed here.
    writeFileSync(file, unit.replace('/opt/spendgate/bin/spendgate', process.execPath))
    expect(run('systemd-analyze', ['verify', file])).toMatchObject({ status: 0, stderr: '' })
    const { stdout } = run('systemd-analyze', ['security', '--offline=true', '--no-pager', file])
    const [, exposure] = /Overall exposure level for spendgate\.service: ([\d.]+)/.exec(stdout)!
    expect(Number(exposure)).toBeLessThan(2)
  })

  test('calls under way have their time before systemd kills it', () => {
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1])).toBeGreaterThan(25)
  })
})

describe('egress', () => {
  test.runIf(have('nft', 'nft --check'))('nftables takes the rules', () => {
    expect(run('nft', ['--check', '--file', join(root, 'deploy/egress/agents.nft')])).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    })
  })

  test('what an agent may reach is the agent port; the rest is refused, by default too', () => {
    const rules = read('deploy/egress/agents.nft').replace(/^ *#.*$/gm, '')
    const chain = /chain agent \{([^}]*)\}/.exec(rules)![1]!.trim().split(/\n\s*/).filter(Boolean)
    expect(chain).toEqual([
      'ip daddr $gate_v4 tcp dport $gate_port accept',
      'counter name refused',
      'reject with icmpx admin-prohibited',
    ])
  })

  test('in Kubernetes agents reach nothing, then the agent port and names', () => {
    const policies = parseAllDocuments(read('deploy/egress/networkpolicy.yaml')).map((each) => {
      expect(each.errors).toEqual([])
      return each.toJS() as any
    })
    for (const policy of policies)
      expect(policy).toMatchObject({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        spec: { podSelector: {}, policyTypes: ['Egress'] },
      })
    expect(policies.map(({ spec }) => spec.egress.map(({ ports }: any) => ports.map(({ port }: any) => port)))).toEqual(
      [[], [[4242], [53, 53]]],
    )
  })
})
