import { createDecipheriv } from 'node:crypto'
import { z } from 'zod'

/*
 * Secrets as Janee keeps them since 0.3: in credentials.json beside the configuration, each sealed with AES-256-GCM
 * under the master key of that same file (0.16.0, src/core/crypto.ts and src/cli/config-yaml.ts, read on 2026-11-21).
 */

const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

const stored = z.union([z.string(), z.record(z.string(), z.string())])
const credentialsFile = z.object({
  masterKey: z.string(),
  secrets: z.record(z.string(), z.record(z.string(), stored)).default({}),
})
export type CredentialsFile = z.output<typeof credentialsFile>

/** Null for what is no such file. */
export function readCredentials(text: string): CredentialsFile | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  return credentialsFile.safeParse(value).data ?? null
}

/** The text behind base64 of IV, tag and ciphertext. Null when the key does not open it: another key, or never sealed. */
export function unsealed(text: string, masterKey: string): string | null {
  const key = Buffer.from(masterKey, 'base64')
  const bytes = Buffer.from(text, 'base64')
  if (key.length !== KEY_BYTES || bytes.length < IV_BYTES + TAG_BYTES) return null
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    // Whatever the cipher says is wrong, it is that this key did not seal this text.
    return null
  }
}
