import type { AuthScheme } from '../../src/contracts/binding.js'

/** What is known of a vendor before its operator says anything. Sources and dates: README.md here. */
export interface Preset {
  /** Absent where every customer has an address of his own. */
  readonly baseUrl?: string
  readonly auth: AuthScheme
  readonly headers?: Readonly<Record<string, string>>
  /** What the vendor's real keys look like, where that can be told. */
  readonly key?: RegExp
  /** The vendor's request id among reply headers, lower case. */
  readonly requestId?: string
}

export const PRESETS: Readonly<Record<string, Preset>> = {
  github: {
    baseUrl: 'https://api.github.com',
    auth: { scheme: 'bearer' },
    headers: { 'x-github-api-version': '2022-11-28' },
    key: /^(?:gh[pousr]_|github_pat_)/,
    requestId: 'x-github-request-id',
  },
  openai: { baseUrl: 'https://api.openai.com', auth: { scheme: 'bearer' }, key: /^sk-(?!ant-)/ },
  anthropic: {
    baseUrl: 'https://api.anthropic.com',
    auth: { scheme: 'header', name: 'x-api-key' },
    headers: { 'anthropic-version': '2023-06-01' },
    key: /^sk-ant-/,
    requestId: 'request-id',
  },
  slack: {
    baseUrl: 'https://slack.com/api',
    auth: { scheme: 'bearer' },
    key: /^xox[abeoprs](?:\.xox[abeoprs])?-/,
    requestId: 'x-slack-req-id',
  },
  shopify: { auth: { scheme: 'header', name: 'x-shopify-access-token' }, key: /^shp(?:at|ca|pa|ua)_/ },
  postmark: {
    baseUrl: 'https://api.postmarkapp.com',
    auth: { scheme: 'header', name: 'x-postmark-server-token' },
    headers: { accept: 'application/json' },
  },
  sendgrid: {
    baseUrl: 'https://api.sendgrid.com',
    auth: { scheme: 'bearer' },
    headers: { accept: 'application/json' },
    key: /^SG\./,
    requestId: 'x-message-id',
  },
}

/** By a vendor's name; a name that JavaScript gives a meaning has none. */
export const presetOf = (name: string): Preset | null => (Object.hasOwn(PRESETS, name) ? PRESETS[name]! : null)
