/** An MCP server as a client's configuration file names it. */
export interface Entry {
  readonly name: string
  /** Members that lead to the list it stands in: `mcpServers`, or a project's own list. */
  readonly list: readonly string[]
  readonly command: string | null
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string | null
  readonly url: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly enabled: boolean
}

/** What an entry is to become. */
export type Wanted =
  | { readonly kind: 'url'; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly kind: 'stdio'
      readonly command: string
      readonly args: readonly string[]
      readonly env: Readonly<Record<string, string>>
    }

/** How a client spells its entries. */
export interface Spelling {
  readonly url: 'url' | 'serverUrl'
  readonly headers: 'headers' | 'http_headers'
  /** `type` of an entry that is an address, and of one that is a program; null where the client has none. */
  readonly types: readonly [url: string | null, stdio: string | null]
}

/** A way to write configuration files down. All of it works on the text, so that the rest of a file stays as it is. */
export interface Format {
  /** @throws TextFault when the text cannot be understood */
  entries(text: string, lists: readonly (readonly string[])[]): readonly Entry[]
  /** @throws TextFault when the entry stands there in a way that cannot be changed safely */
  put(text: string, list: readonly string[], name: string, wanted: Wanted, spelling: Spelling): string
  /** The text, line for line, with its secrets shortened. */
  shown(text: string): string
}

/** Members that say how a server is reached; a governed entry has its own, and what else there was stays. */
const REACH = [
  'type',
  'command',
  'args',
  'env',
  'envFile',
  'env_vars',
  'url',
  'serverUrl',
  'httpUrl',
  'headers',
  'http_headers',
  'env_http_headers',
  'bearer_token_env_var',
  'auth',
]

export const droppedBy = ({ kind }: Wanted): ReadonlySet<string> => new Set(kind === 'url' ? [...REACH, 'cwd'] : REACH)

export function fieldsOf(wanted: Wanted, spelling: Spelling): readonly (readonly [string, unknown])[] {
  const [urlType, stdioType] = spelling.types
  const type = wanted.kind === 'url' ? urlType : stdioType
  const typed: [string, unknown][] = type === null ? [] : [['type', type]]
  if (wanted.kind === 'url') return [...typed, [spelling.url, wanted.url], [spelling.headers, wanted.headers]]
  const env: [string, unknown][] = Object.keys(wanted.env).length === 0 ? [] : [['env', wanted.env]]
  return [...typed, ['command', wanted.command], ['args', wanted.args], ...env]
}

/** An entry out of what a file says of it; members of another type than expected count as absent. */
export function entryOf(list: readonly string[], name: string, value: unknown): Entry {
  const members = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>
  const text = (...names: readonly string[]): string | null =>
    names.map((each) => members[each]).find((found): found is string => typeof found === 'string') ?? null
  const texts = (each: unknown): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(typeof each === 'object' && each !== null ? each : {}).flatMap(([key, found]) =>
        typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean'
          ? [[key, String(found)]]
          : [],
      ),
    )
  const { args, disabled, enabled } = members
  return {
    name,
    list,
    command: text('command'),
    args: Array.isArray(args) ? args.filter((word): word is string => typeof word === 'string') : [],
    env: texts(members.env),
    cwd: text('cwd'),
    url: text('url', 'serverUrl', 'httpUrl'),
    headers: { ...texts(members.headers), ...texts(members.http_headers) },
    enabled: disabled !== true && enabled !== false,
  }
}
