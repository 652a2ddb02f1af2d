import type Database from 'better-sqlite3'
import { digestOf } from './chain.js'
import { operatorInSetting } from './operators.js'
import type { Said } from './said.js'

/** What an entry says of a setting: its value, or of what is sealed under the master key or names a person only a digest. */
export function settingText(name: string, value: unknown): object {
  const operator = operatorInSetting(name, value)
  if (operator === null && !name.startsWith('internal.')) return { name, value }
  return { name, ...operator, digest: digestOf('', [JSON.stringify(value)]) }
}

/** Follows what entries say of settings, and holds the table against it. Part of `verify`. */
export class SettingProof {
  readonly #said = new Map<string, Said>()

  follow(kind: string, said: Said): void {
    if (!kind.startsWith('setting.') && kind !== 'master-key.rotated') return
    if (said.name !== undefined) this.#said.set(said.name, said)
    // Before entries named the setting, a rotation changed it silently.
    else if (kind === 'master-key.rotated') for (const name of SEALED_SETTINGS) this.#said.set(name, {})
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    const rows = db.prepare('select name, value from settings').all() as { name: string; value: string }[]
    for (const { name, value } of rows) {
      const said = this.#said.get(name)
      this.#said.delete(name)
      if (said === undefined) fault(`No entry says that the setting ${name} was ever made.`)
      else if (said.digest !== undefined ? said.digest !== digestOf('', [value]) : !same(said, value))
        fault(`The setting ${name} is not what its last entry says.`)
    }
    for (const name of this.#said.keys()) fault(`The setting ${name} stands by its entries and has no row.`)
  }
}

const SEALED_SETTINGS = ['internal.sealed']

/** Settings are written as the JSON that the entry holds too. */
const same = (said: Said, value: string): boolean => !('value' in said) || JSON.stringify(said.value) === value
