import type { LayoutName } from './machine.js'
import { installPeers, peersInstalled } from './peers.js'
import { haproxyVersion } from './targets/haproxy.js'
import { janeeMissing } from './targets/janee.js'
import { nginxVersion } from './targets/nginx.js'
import { OPEN } from './targets/target.js'
import { postgresMissing } from '../test/helpers/postgres.js'

/** Something that is measured beside the others. */
export interface Entrant {
  readonly label: string
  /** Its module under bench/; null for the vendor itself. */
  readonly role: string | null
  /** Uses the processes of another entrant, asked for something else. */
  readonly of?: TargetName
  readonly options?: Readonly<Record<string, unknown>>
  /** Its calls leave rows in a book, which is asked at the end. */
  readonly booked?: true
  /** Its calls must leave none: otherwise it is not what it says it is. */
  readonly unbooked?: true
  /** Its figures need no long window: it is far from all others. */
  readonly slow?: true
  /** Runs with a disk whose every fsync takes longer. */
  readonly slowDisk?: true
  /** Where it is measured; absent: everywhere. */
  readonly layouts?: readonly LayoutName[]
  readonly body?: string
  /** Null, or one sentence on why it cannot be measured here. */
  readonly missing?: (install: boolean) => string | null
}

const peer = (install: boolean): string | null =>
  install ? installPeers() : peersInstalled() ? null : 'bench/peers is not installed, and a check installs nothing.'
const installed = (version: () => string | null) => (): string | null =>
  version() === null ? 'not installed here.' : null
const TWO_CORES: readonly LayoutName[] = ['two-cores', 'shared']

const ENTRANTS = {
  direct: { label: 'direct, no proxy', role: null },
  nginx: { label: 'nginx proxy_pass', role: 'targets/nginx', missing: installed(nginxVersion) },
  haproxy: { label: 'HAProxy, 1 thread', role: 'targets/haproxy', missing: installed(haproxyVersion) },
  raw: { label: 'node:http + Pool.dispatch', role: 'targets/raw-undici' },
  hono: { label: 'Hono + undici Pool (reference)', role: 'targets/hono-undici' },
  fastify: { label: 'fastify + @fastify/http-proxy', role: 'targets/fastify', missing: peer },
  'hono-fetch': { label: 'Hono + global fetch', role: 'targets/hono-fetch', slow: true },
  'hono-proxy': { label: 'hono/proxy helper', role: 'targets/hono-proxy', slow: true },
  portkey: { label: 'Portkey gateway, chat route ¹', role: 'targets/portkey', slow: true, missing: peer },
  janee: { label: 'Janee, execute over MCP ¹', role: 'targets/janee', slow: true, missing: janeeMissing },
  spendgate: { label: 'spendgate: governed, durable', role: 'targets/spendgate', booked: true },
  'spendgate-open': { label: 'spendgate: an intent left open', role: null, of: 'spendgate', body: OPEN },
  'spendgate-off': { label: 'spendgate, ledger off ²', role: 'targets/spendgate-off', unbooked: true },
  'spendgate-slow': {
    label: 'spendgate, each fsync +2 ms',
    role: 'targets/spendgate',
    options: { name: 'spendgate-slow' },
    booked: true,
    slowDisk: true,
    layouts: TWO_CORES,
  },
  'spendgate-postgres': {
    label: 'spendgate on PostgreSQL',
    role: 'targets/spendgate-postgres',
    booked: true,
    layouts: TWO_CORES,
    missing: () => postgresMissing,
  },
} as const satisfies Readonly<Record<string, Omit<Entrant, 'of'> & { readonly of?: string }>>

export type TargetName = keyof typeof ENTRANTS
export const TARGETS = Object.keys(ENTRANTS) as readonly TargetName[]
export const entrant = (name: TargetName): Entrant => ENTRANTS[name] as Entrant
