import * as dns from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/**
 * Networks in which the machine, its neighbours or a cloud's metadata service live, and those that mean none or
 * another one (IANA special-purpose registries, RFC 6890 and its successors, November 2026). IPv4 in IPv6 clothing is
 * judged as IPv4.
 */
const PRIVATE = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
]
/** Of IPv6 only what is routed: everything outside is loopback, link-local, site-local, multicast or a translation. */
const ROUTED = lazily(['2000::/3'])
const UNREACHABLE = lazily(PRIVATE)
const LOOPBACK = lazily(['127.0.0.0/8', '::1/128'])
/** Names that a resolver answers from its own network, whatever it is asked. */
const LOCAL_NAME = /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|private|localdomain|home\.arpa)$/

const HOST = /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/
const LOOK_UP_MS = 2_000

type Resolve = (
  host: string,
  options: dns.LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, found: dns.LookupAddress[]) => void,
) => void

/**
 * Which addresses calls by configuration may go to. An operator's key, or whoever has the admin token, must not turn the
 * proxy into a way to the services beside it, so what is private is refused unless the configuration of the server
 * names it. The address that is dialled is the one that was judged: a name that changes its mind in between gains
 * nothing.
 */
export class Reachable {
  readonly #hosts: ReadonlySet<string>
  readonly #networks: BlockList

  readonly #resolve: Resolve

  /**
   * @param allowed hosts, `host:port`, addresses and networks (CIDR) that may be reached although they are private
   * @param resolve what a name stands for
   */
  constructor(allowed: readonly string[] = [], resolve: Resolve = dns.lookup as Resolve) {
    this.#resolve = resolve
    const hosts = allowed.filter((entry) => networkOf(entry) === null)
    this.#hosts = new Set(hosts)
    const networks = allowed.filter((entry) => networkOf(entry) !== null)
    this.#networks = listOf(hosts.includes('localhost') ? [...networks, '127.0.0.0/8', '::1/128'] : networks)
  }

  /** Why an entry of the list cannot be one, as a predicate; null when it can. */
  static entryFault(entry: string): string | null {
    if (
      networkOf(entry) !== null ||
      /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::[0-9]{1,5})?$/.test(entry)
    )
      return null
    return `must name hosts, host:port, addresses or networks such as 10.1.0.0/16, not «${entry.slice(0, 80)}».`
  }

  /** Why calls may not go to an address, in a sentence, from the address alone; null when they may. */
  fault(address: string): string | null {
    const url = URL.canParse(address) ? new URL(address) : null
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
      return 'It must be an https address such as https://api.example.com.'
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
      return 'It must be an address without credentials, query or fragment.'
    const host = bare(url.hostname)
    // 2130706433, 0x7f.1 and 127.1 are other ways to write an address, which only hide it from a reader.
    const written = /^[a-z]+:\/\/(\[[^\]/?#]*\]|[^:/?#]*)/i.exec(address)![1]!
    if (bare(written.toLowerCase()) !== host) return `Its host is read as ${host}. Write it like that.`
    if (isIP(host) === 0 && !HOST.test(host)) return 'Its host is no host name.'
    const named = this.#names(url) || (host === 'localhost' && this.#permits('127.0.0.1'))
    const private_ = isIP(host) === 0 ? LOCAL_NAME.test(host) || !host.includes('.') : !this.#permits(host)
    if (private_ && !named)
      return `${host} is private. Only the configuration of the server opens that: SPENDGATE_ALLOW_PRIVATE_UPSTREAMS=${host}.`
    if (url.protocol === 'http:' && !isLoopback(host))
      return 'Plain http is for loopback alone: the real key would travel in the clear.'
    return null
  }

  /**
   * The same, and what its name stands for at this moment. A name that cannot be resolved now is no fault: what it
   * stands for is judged each time it is dialled.
   */
  async faultNow(address: string): Promise<string | null> {
    const fault = this.fault(address)
    const url = new URL(fault === null ? address : 'https://invalid.invalid')
    const host = bare(url.hostname)
    if (fault !== null || isIP(host) !== 0 || this.#names(url)) return fault
    const found = await within(this.#addresses(host), LOOK_UP_MS)
    if (found === null || found.some((each) => this.#permits(each.address))) return null
    return `${host} stands for ${found[0]?.address ?? 'no address'}, which is private. Only the configuration of the server opens that: SPENDGATE_ALLOW_PRIVATE_UPSTREAMS=${host}.`
  }

  /** Resolves names for connections to an origin, and gives only addresses that may be dialled. */
  lookupFor(origin: string): LookupFunction {
    const named = this.#names(new URL(origin))
    return (hostname, options, callback) => {
      this.#resolve(hostname, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, '', 0)
        const open = named ? found : found.filter(({ address }) => this.#permits(address))
        const [first] = open
        if (first === undefined) return callback(new PrivateAddress(hostname), '', 0)
        if (options.all === true) callback(null, open)
        else callback(null, first.address, first.family)
      })
    }
  }

  #addresses(host: string): Promise<readonly dns.LookupAddress[]> {
    return new Promise((resolve, reject) => {
      this.#resolve(host, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error)))
    })
  }

  #names(url: URL): boolean {
    const host = bare(url.hostname)
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
    return this.#hosts.has(host) || this.#hosts.has(`${url.hostname}:${port}`)
  }

  #permits(address: string): boolean {
    const kind = family(address)
    if (this.#networks.check(address, kind)) return true
    if (UNREACHABLE().check(address, kind)) return false
    return kind === 'ipv4' || ROUTED().check(address, kind)
  }
}

/** A name stands for nothing but private addresses. Nothing was sent. */
class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress'
  constructor(host: string) {
    super(`${host} stands for a private address, which the configuration of this server does not open`)
  }
}

/** An address or network, `10.0.0.0/8` or `::1`; null for what is none. */
function networkOf(entry: string): { readonly address: string; readonly bits: number } | null {
  const [address = '', bits, ...rest] = bare(entry).split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0 || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits))) return null
  const most = version === 4 ? 32 : 128
  const given = bits === undefined ? most : Number(bits)
  return given > most ? null : { address, bits: given }
}

/** Made when the first address is judged: where no vendor is by configuration, none ever is. */
function lazily(entries: readonly string[]): () => BlockList {
  let list: BlockList | null = null
  return () => (list ??= listOf(entries))
}

function listOf(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const { address, bits } = networkOf(entry)!
    list.addSubnet(address, bits, family(address))
  }
  return list
}

// Hoisted, because the lists above are made with them.
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}
function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
const isLoopback = (host: string): boolean =>
  host === 'localhost' || (isIP(host) !== 0 && LOOPBACK().check(host, family(host)))

/** What a promise gives in time; null when it fails or is late. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), ms)))
  try {
    return await Promise.race([promise.catch(() => null), late])
  } finally {
    clearTimeout(timer)
  }
}
