import { posix, win32 } from 'node:path'
import type { Format, Spelling } from './entry.js'
import { jsonFormat } from './json.js'
import { tomlFormat } from './toml.js'

/** A machine and a folder, as far as they decide where programs keep their configuration. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly home: string
  readonly cwd: string
  readonly env: Readonly<NodeJS.ProcessEnv>
}

/** A program that starts or calls MCP servers. */
export interface Client {
  readonly id: string
  readonly title: string
  readonly format: Format
  readonly spelling: Spelling
  /** Whether its file may name an address with headers; otherwise it starts programs only. */
  readonly http: boolean
  /** The user's own file. */
  file(at: Surroundings): string
  /** The file of a project, from its folder; null where the client has none. */
  readonly projectFile: string | null
  /** Lists of entries in the user's file; new ones go into the first. */
  lists(at: Surroundings): readonly (readonly string[])[]
}

const join = ({ platform }: Surroundings, ...parts: readonly string[]): string =>
  (platform === 'win32' ? win32 : posix).join(...parts)

/** Where desktop programs keep their settings. */
function settings(at: Surroundings, ...parts: readonly string[]): string {
  const { platform, home, env } = at
  if (platform === 'darwin') return join(at, home, 'Library', 'Application Support', ...parts)
  if (platform === 'win32') return join(at, env.APPDATA ?? join(at, home, 'AppData', 'Roaming'), ...parts)
  return join(at, env.XDG_CONFIG_HOME ?? join(at, home, '.config'), ...parts)
}

const SERVERS = [['mcpServers']]
const PLAIN: Spelling = { url: 'url', headers: 'headers', types: [null, null] }

/** From the vendors' documentation as of November 2026. */
export const CLIENTS: readonly Client[] = [
  {
    id: 'claude-desktop',
    title: 'Claude Desktop',
    format: jsonFormat,
    spelling: PLAIN,
    // Addresses are entered in its settings, through an account; the file takes programs only.
    http: false,
    file: (at) => settings(at, 'Claude', 'claude_desktop_config.json'),
    projectFile: null,
    lists: () => SERVERS,
  },
  {
    id: 'claude-code',
    title: 'Claude Code',
    format: jsonFormat,
    spelling: { ...PLAIN, types: ['http', 'stdio'] },
    http: true,
    file: (at) => join(at, at.env.CLAUDE_CONFIG_DIR ?? at.home, '.claude.json'),
    projectFile: '.mcp.json',
    // A project's own list in the user's file goes before that of the user.
    lists: (at) => [['mcpServers'], ['projects', at.cwd, 'mcpServers']],
  },
  {
    id: 'cursor',
    title: 'Cursor',
    format: jsonFormat,
    spelling: PLAIN,
    http: true,
    file: (at) => join(at, at.home, '.cursor', 'mcp.json'),
    projectFile: '.cursor/mcp.json',
    lists: () => SERVERS,
  },
  {
    id: 'vscode',
    title: 'VS Code',
    format: jsonFormat,
    spelling: { ...PLAIN, types: ['http', 'stdio'] },
    http: true,
    file: (at) => settings(at, 'Code', 'User', 'mcp.json'),
    projectFile: '.vscode/mcp.json',
    lists: () => [['servers']],
  },
  {
    id: 'windsurf',
    title: 'Windsurf',
    format: jsonFormat,
    spelling: { ...PLAIN, url: 'serverUrl' },
    http: true,
    file: (at) => join(at, at.home, '.codeium', 'windsurf', 'mcp_config.json'),
    projectFile: null,
    lists: () => SERVERS,
  },
  {
    id: 'codex',
    title: 'Codex',
    format: tomlFormat,
    spelling: { ...PLAIN, headers: 'http_headers' },
    http: true,
    file: (at) => join(at, at.env.CODEX_HOME ?? join(at, at.home, '.codex'), 'config.toml'),
    projectFile: '.codex/config.toml',
    lists: () => [['mcp_servers']],
  },
]

/** The files a client reads here: the project's before the user's. In the home directory both may be one. */
export function filesOf(client: Client, at: Surroundings): readonly string[] {
  const project = client.projectFile === null ? [] : [join(at, at.cwd, ...client.projectFile.split('/'))]
  return [...new Set([...project, client.file(at)])]
}
