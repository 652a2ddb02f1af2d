// The library below registers its parts through it and fails without.
import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { createPrivateKey, randomBytes, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import { assert } from '../assert.js'
import type { Clock } from '../contracts/clock.js'
import { readOwnFile, replaceOwnFile } from '../custody/master-key.js'
import { caFile } from './ca-file.js'

const DAY_MS = 24 * 3_600_000
const CA_MS = 365 * DAY_MS
/** At start a CA that ends sooner makes room for the next, so that no program has to be told in a hurry. */
const CA_LEFT_MS = 30 * DAY_MS
const LEAF_MS = DAY_MS
/** Clients in a container or a virtual machine may be a little behind. */
const SKEW_MS = 5 * 60_000

const KEY_FILE = 'connect-ca-key.pem'
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
const NAME_CONSTRAINTS = '2.5.29.30'

interface Pair {
  readonly certificate: X509Certificate
  readonly key: webcrypto.CryptoKey
}

/**
 * The local certificate authority of CONNECT mode. It can vouch for the vendors' domains and, by its critical name
 * constraints, for nothing else: who trusts it, or steals its key, gains no power over any other host.
 */
export class Authority {
  readonly #dataDir: string
  readonly #domains: readonly string[]
  readonly #clock: Clock
  readonly #leaves = new Map<string, { readonly context: Promise<SecureContext>; readonly renewAt: number }>()
  #pair: Promise<Pair>
  #endsAt: number

  private constructor(
    dataDir: string,
    domains: readonly string[],
    clock: Clock,
    pair: Pair,
    readonly created: boolean,
  ) {
    this.#dataDir = dataDir
    this.#domains = domains
    this.#clock = clock
    this.#pair = Promise.resolve(pair)
    this.#endsAt = pair.certificate.notAfter.getTime()
  }

  /**
   * The authority kept in the data directory; a new one when there is none, when it ends soon, or when it is for other
   * domains than these.
   *
   * @throws CustodyFault when its key lies open to others
   */
  static async open(dataDir: string, domains: readonly string[], clock: Clock): Promise<Authority> {
    const kept = await load(dataDir, domains, clock.now())
    const pair = kept ?? (await make(dataDir, domains, clock.now()))
    return new Authority(dataDir, domains, clock, pair, kept === null)
  }

  /** What a TLS server shows for a host under the domains: a leaf of a day, kept in memory for half of it. */
  contextFor(host: string): Promise<SecureContext> {
    assert(
      this.#domains.some((domain) => host.endsWith(`.${domain}`)),
      `${host} is under none of the domains`,
    )
    const now = this.#clock.now()
    const kept = this.#leaves.get(host)
    if (kept !== undefined && now < kept.renewAt) return kept.context
    const context = this.#issue(host, now)
    this.#leaves.set(host, { context, renewAt: now + LEAF_MS / 2 })
    context.catch(() => this.#leaves.delete(host))
    return context
  }

  async #issue(host: string, now: number): Promise<SecureContext> {
    if (this.#endsAt < now + LEAF_MS) {
      this.#endsAt = now - SKEW_MS + CA_MS
      this.#pair = make(this.#dataDir, this.#domains, now)
    }
    const { certificate: ca, key } = await this.#pair
    const own = await newKeys()
    const leaf = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${host}`,
      issuer: ca.subject,
      notBefore: new Date(now - SKEW_MS),
      notAfter: new Date(now + LEAF_MS),
      publicKey: own.publicKey,
      signingKey: key,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
        await SubjectKeyIdentifierExtension.create(own.publicKey),
        await AuthorityKeyIdentifierExtension.create(ca.publicKey),
      ],
    })
    return createSecureContext({ cert: leaf.toString('pem'), key: await pemOf(own.privateKey), minVersion: 'TLSv1.2' })
  }
}

async function load(dataDir: string, domains: readonly string[], now: number): Promise<Pair | null> {
  const [file, keyFile] = [caFile(dataDir), join(dataDir, KEY_FILE)]
  if (!existsSync(file) || !existsSync(keyFile)) return null
  const key = createPrivateKey(readOwnFile(keyFile))
  const pem = readFileSync(file, 'utf8')
  const certificate = new X509Certificate(pem)
  const constraints = certificate.getExtension(NAME_CONSTRAINTS)
  const holds =
    certificate.notBefore.getTime() <= now &&
    certificate.notAfter.getTime() >= now + CA_LEFT_MS &&
    constraints?.critical === true &&
    nameConstraints(domains).equals(Buffer.from(constraints.value)) &&
    // A crash between the two files leaves a key without its certificate.
    new NodeCertificate(pem).checkPrivateKey(key)
  if (!holds) return null
  const der = key.export({ type: 'pkcs8', format: 'der' })
  return { certificate, key: await webcrypto.subtle.importKey('pkcs8', der, CURVE, false, ['sign']) }
}

async function make(dataDir: string, domains: readonly string[], now: number): Promise<Pair> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=spendgate CONNECT mode',
    notBefore: new Date(now - SKEW_MS),
    notAfter: new Date(now - SKEW_MS + CA_MS),
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new Extension(NAME_CONSTRAINTS, true, nameConstraints(domains)),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  replaceOwnFile(dataDir, KEY_FILE, (await pemOf(keys.privateKey)).trim())
  replaceOwnFile(dataDir, basename(caFile(dataDir)), certificate.toString('pem').trim())
  return { certificate, key: keys.privateKey }
}

/**
 * RFC 5280, 4.2.1.10, which the library cannot write: names under the domains, and no address at all. A constraint on
 * names says nothing of addresses, so that without the second part the CA could vouch for any of them.
 */
function nameConstraints(domains: readonly string[]): Buffer {
  const permitted = domains.map((domain) => der(0x30, der(0x82, Buffer.from(domain, 'ascii'))))
  const addresses = [8, 32].map((bytes) => der(0x30, der(0x87, Buffer.alloc(bytes))))
  return der(0x30, der(0xa0, ...permitted), der(0xa1, ...addresses))
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  assert(body.length < 256, 'longer than its length can say')
  return Buffer.concat([Buffer.of(tag, ...(body.length < 128 ? [] : [0x81]), body.length), body])
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: bytes, type: 'pkcs8', format: 'der' }).export({
    type: 'pkcs8',
    format: 'pem',
  }) as string
}

/** 127 random bits: positive, as RFC 5280 wants it. */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0]! &= 0x7f
  return bytes.toString('hex')
}
