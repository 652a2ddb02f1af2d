import { homedir } from 'node:os'
import { CliFault, Exit } from '../exit.js'
import type { Context } from '../context.js'
import { CLIENTS, type Client, type Surroundings } from './index.js'

export const surroundingsOf = ({ io }: Context): Surroundings => ({
  platform: process.platform,
  home: io.env.HOME ?? io.env.USERPROFILE ?? homedir(),
  cwd: io.cwd,
  env: io.env,
})

export function clientNamed(id: string): Client {
  const client = CLIENTS.find((each) => each.id === id)
  if (client === undefined) throw new CliFault(Exit.usage, `There is no client ${id}.`, { code: 'usage' })
  return client
}
