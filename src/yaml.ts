import { createRequire } from 'node:module'

type Yaml = typeof import('yaml')

let loaded: Yaml | null = null

/** The YAML library, loaded with the first configuration file: most servers have none. */
export const yaml = (): Yaml => (loaded ??= createRequire(import.meta.url)('yaml') as Yaml)
