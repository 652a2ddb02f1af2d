import type { LookupAddress } from 'node:dns'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { readConfig } from '../../src/config.js'
import { Reachable } from '../../src/wire/reachable.js'
import { Upstream } from '../../src/wire/upstream.js'

type Resolver = NonNullable<ConstructorParameters<typeof Reachable>[1]>

/** Names stand for what the table says, in turn where it says several things. */
function resolver(table: Readonly<Record<string, readonly (readonly string[])[]>>): Resolver {
  const asked = new Map<string, number>()
  return (host, _options, callback) => {
    const times = asked.get(host) ?? 0
    asked.set(host, times + 1)
    const answers = table[host]
    const found = answers?.[Math.min(times, answers.length - 1)]
    if (found === undefined) callback(new Error(`ENOTFOUND ${host}`), [])
    else
      callback(
        null,
        found.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  }
}

describe('an address that came over the API', () => {
  const open = new Reachable()

  test.each([
    'https://api.github.com',
    'https://api.github.com/v3',
    'https://api.example.com:8443',
    'https://8.8.8.8',
    'https://[2606:4700::1111]',
    'https://xn--mnchen-3ya.example',
  ])('%s may be called', (address) => {
    expect(open.fault(address)).toBeNull()
  })

  test.each([
    'https://127.0.0.1',
    'https://127.9.9.9',
    'https://0.0.0.0',
    'https://10.1.2.3',
    'https://172.16.0.1',
    'https://172.31.255.255',
    'https://192.168.1.1',
    'https://100.64.0.1',
    'https://169.254.169.254',
    'https://192.0.0.192',
    'https://198.18.0.1',
    'https://224.0.0.1',
    'https://255.255.255.255',
    'https://[::1]',
    'https://[::]',
    'https://[fe80::1]',
    'https://[fc00::1]',
    'https://[fd00:ec2::254]',
    'https://[ff02::1]',
    'https://[::ffff:10.0.0.1]',
    'https://[::ffff:a9fe:a9fe]',
    'https://[::ffff:8.8.8.8]',
    'https://[64:ff9b::a00:1]',
    'https://[2002:a00:1::]',
    'https://[2001:0:a00:1::]',
    'https://localhost',
    'https://api.localhost',
    'https://metadata.google.internal',
    'https://printer.local',
    'https://intranet',
  ])('%s is private', (address) => {
    expect(open.fault(address)).toMatch(/is private\. Only the configuration|^Its host is read as/)
  })

  test.each([
    ['https://2130706433', 'read as 127.0.0.1'],
    ['https://0x7f.0.0.1', 'read as 127.0.0.1'],
    ['https://0177.0.0.1', 'read as 127.0.0.1'],
    ['https://127.1', 'read as 127.0.0.1'],
    ['https://134744072', 'read as 8.8.8.8'],
    ['https://%31%32%37.0.0.1', 'read as 127.0.0.1'],
    ['https://①②⑦.⓪.⓪.①', 'read as 127.0.0.1'],
    ['https://münchen.example', 'read as xn--'],
    ['https://api.example.com.', 'no host name'],
    ['https://user:pw@api.example.com', 'without credentials'],
    ['https://api.example.com/?a=b', 'without credentials, query'],
    ['http://api.example.com', 'Plain http is for loopback'],
    ['ftp://api.example.com', 'must be an https address'],
    ['file:///etc/passwd', 'must be an https address'],
    ['nonsense', 'must be an https address'],
  ])('%s: %s', (address, why) => {
    expect(open.fault(address)).toContain(why)
  })
})

describe('what the configuration names', () => {
  test.each([
    ['127.0.0.1', 'http://127.0.0.1:9000'],
    ['127.0.0.1:9000', 'http://127.0.0.1:9000'],
    ['127.0.0.0/8', 'http://127.0.0.2:9000'],
    ['localhost', 'http://127.0.0.1:9000'],
    ['localhost', 'http://localhost:9000'],
    ['127.0.0.1', 'http://localhost:9000'],
    ['::1', 'http://[::1]:9000'],
    ['10.0.0.0/8', 'https://10.20.30.40'],
    ['git.corp', 'https://git.corp'],
    ['git', 'https://git'],
    ['fd00::/8', 'https://[fd00::5]'],
  ])('%s opens %s', (entry, address) => {
    expect(Reachable.entryFault(entry)).toBeNull()
    expect(new Reachable([entry]).fault(address)).toBeNull()
  })

  test.each([
    ['127.0.0.1:9000', 'http://127.0.0.1:9001'],
    ['10.0.0.0/8', 'http://10.0.0.1'],
    ['git.corp', 'https://git.corp.evil.internal'],
    ['10.0.0.0/8', 'https://192.168.0.1'],
  ])('%s does not open %s', (entry, address) => {
    expect(new Reachable([entry]).fault(address)).not.toBeNull()
  })

  test('comes from a flag or a variable, with or without a scheme, and a fault stops the start', () => {
    const named = { SPENDGATE_ALLOW_PRIVATE_UPSTREAMS: 'Git.Corp, http://127.0.0.1:9000/,10.0.0.0/8' }
    expect(readConfig(named).allowPrivateUpstreams).toEqual(['git.corp', '127.0.0.1:9000', '10.0.0.0/8'])
    expect(readConfig(named, { 'allow-private-upstreams': 'localhost' }).allowPrivateUpstreams).toEqual(['localhost'])
    expect(() => readConfig({ SPENDGATE_ALLOW_PRIVATE_UPSTREAMS: '*' })).toThrow('must name hosts')
  })

  test.each(['*', '10.0.0.0/33', 'https://', 'a b', ''])('«%s» is no entry', (entry) => {
    expect(Reachable.entryFault(entry)).toContain('must name hosts')
  })
})

describe('a name', () => {
  test('that stands for private addresses is refused when it is registered', async () => {
    const names = resolver({ 'evil.example': [['10.0.0.5']], 'good.example': [['93.184.216.34']] })
    const reachable = new Reachable([], names)
    expect(await reachable.faultNow('https://evil.example')).toContain('stands for 10.0.0.5')
    expect(await reachable.faultNow('https://good.example')).toBeNull()
    // What it stands for is asked again each time it is dialled.
    expect(await reachable.faultNow('https://unknown.example')).toBeNull()
    expect(await new Reachable(['evil.example'], names).faultNow('https://evil.example')).toBeNull()
  })

  test('that changes its mind after it was registered reaches nothing: what is dialled is what was judged', async () => {
    const heard: string[] = []
    const inside = createServer((socket) => {
      heard.push('connected')
      socket.destroy()
    })
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
    const { port } = inside.address() as AddressInfo
    const reachable = new Reachable(
      [],
      resolver({ 'rebound.example': [['93.184.216.34'], ['127.0.0.1'], ['::ffff:127.0.0.1']] }),
    )
    const upstream = new Upstream({ timeoutMs: 2_000, clock: new SystemClock(), reachable })
    const origin = `https://rebound.example:${port}`
    expect(await reachable.faultNow(origin)).toBeNull()
    for (const _ of [1, 2]) {
      const request = { origin, method: 'GET', target: '/', headers: ['host', 'x'], body: null, guarded: true as const }
      const result = await upstream.send(request, () => null)
      expect(result).toMatchObject({ kind: 'fault', sent: false })
      expect((result as { message: string }).message).toContain('private address')
    }
    // Nor does the address itself, wherever it came from.
    const plain = { origin: `http://127.0.0.1:${port}`, method: 'GET', target: '/', headers: ['host', 'x'], body: null }
    expect(await upstream.send({ ...plain, guarded: true }, () => null)).toMatchObject({ kind: 'fault', sent: false })
    expect(heard).toEqual([])
    await upstream.close()
    await new Promise((resolve) => inside.close(resolve))
  })

  test('that stands for both is dialled at what is public only', async () => {
    const lookup = new Reachable(
      [],
      resolver({ 'both.example': [['10.0.0.1', '93.184.216.34', 'fe80::1']] }),
    ).lookupFor('https://both.example')
    const found = await new Promise((resolve, reject) =>
      lookup('both.example', { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses))),
    )
    expect(found).toEqual([{ address: '93.184.216.34', family: 4 }])
  })
})
