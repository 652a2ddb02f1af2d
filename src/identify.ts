import type { Denial } from './contracts/call.js'
import type { KeyRecord, RunSource } from './contracts/ledger.js'
import type { Authorization } from './contracts/vendor.js'
import { isRunId, parseKey, sameDigest } from './custody/keys.js'
import type { Engine, VendorRuntime } from './engine.js'
import type { Exchange, Fault } from './exchange.js'

const IMPLICIT_RUN_IDLE_MS = 30 * 60_000

/** Who is calling: a known key, or a refusal that leaves no row because no key was named. */
export type Caller =
  | { readonly key: KeyRecord; readonly form: string | null; readonly suffix: string | null }
  | { readonly key: null; readonly form: string | null; readonly denial: Denial }

/** Reads the agent's credentials from the head alone, before any body is looked at. */
export function identify(authorization: Authorization | null, engine: Engine): Caller {
  if (authorization === null)
    return unknown(null, 'No credentials were presented. Present a vault key of this spendgate.')
  if (authorization.scheme === 'bearer' && authorization.token.startsWith('vault_'))
    return find(authorization.token, null, undefined, engine)
  for (const { vendor } of engine.vendors.values()) {
    const presented = vendor.present(authorization)
    if (presented === null) continue
    if (presented.kind === 'vault') return find(presented.key, vendor.name, presented.publicId, engine)
    return {
      key: null,
      form: vendor.name,
      denial: {
        code: 'real_key_presented',
        rule: 'identify',
        message: `This is a real ${vendor.name} key, not a vault key. It was neither forwarded nor stored. Roll it if an agent had it, and present a vault key instead. Do not retry.`,
      },
    }
  }
  return unknown(null, 'What was presented is no vault key of this spendgate. Do not retry.')
}

function find(text: string, form: string | null, publicId: string | undefined, engine: Engine): Caller {
  const parsed = parseKey(text)
  if (parsed === null)
    return unknown(form, 'What was presented is no vault key: its form or checksum is wrong. Do not retry.')
  const digest = engine.digest.of(parsed.key)
  const key = engine.ledger.findKey(digest)
  if (key === null || !sameDigest(key.digest, digest) || (publicId !== undefined && publicId !== key.publicId)) {
    return unknown(form, 'This vault key is not known here. Do not retry.')
  }
  return { key, form, suffix: parsed.run }
}

const unknown = (form: string | null, message: string): Caller => ({
  key: null,
  form,
  denial: { code: 'key_unknown', rule: 'identify', message },
})

/** Which vendor a call is for (contract §3), and what is wrong with the address when several or none are named. */
export function chooseVendor(
  named: Exchange['named'],
  caller: { key: KeyRecord; form: string | null },
  engine: Engine,
): { readonly runtime: VendorRuntime; readonly fault: Fault | null } {
  const decisive = named.prefix ?? named.host ?? caller.form
  for (const other of [named.host, caller.form]) {
    if (other === null || other === decisive) continue
    return {
      runtime: engine.vendors.get(decisive!)!,
      fault: {
        code: 'request_ambiguous',
        message: `The address and the key name different vendors: ${decisive} and ${other}. Do not retry.`,
      },
    }
  }
  const granted = decisive === null ? vendorsOf(caller.key, engine) : NONE
  const chosen = decisive ?? (granted.length === 1 ? granted[0]! : null)
  if (chosen === null) {
    const fallback = engine.vendors.values().next().value as VendorRuntime
    return {
      runtime: fallback,
      fault: {
        code: 'vendor_not_granted',
        message: `The path does not say which vendor is meant, and this key has ${granted.length === 0 ? 'none' : `several (${granted.join(', ')})`}. Use the prefix of one, such as /${granted[0] ?? fallback.vendor.name}/. Do not retry.`,
      },
    }
  }
  const runtime = engine.vendors.get(chosen)!
  if (named.root !== null && named.root !== chosen) {
    const fault: Fault =
      decisive !== null
        ? {
            code: 'request_ambiguous',
            message: `The path names ${named.root} and the key or host ${chosen}. Do not retry.`,
          }
        : {
            code: 'vendor_not_granted',
            message: `The path names ${named.root}; this key has a credential for ${chosen} only. Do not retry.`,
          }
    return { runtime, fault }
  }
  if (engine.credentials.of(caller.key, chosen) === null)
    return {
      runtime,
      fault: { code: 'vendor_not_granted', message: `This key has no credential for ${chosen}. Do not retry.` },
    }
  return { runtime, fault: engine.credentials.unavailable(caller.key, chosen) }
}

const NONE: readonly string[] = []

/** A key has at most one credential a vendor. */
const vendorsOf = ({ credentialIds }: KeyRecord, { ledger }: Engine): readonly string[] =>
  credentialIds.map((id) => ledger.credential(id)?.vendor).filter((name) => name !== undefined)

/** The vendor whose shape a refusal without a known key takes. */
export function shapeFor(named: Exchange['named'], form: string | null, engine: Engine): VendorRuntime {
  const name = named.prefix ?? named.host ?? form ?? named.root
  return (name !== null && engine.vendors.get(name)) || (engine.vendors.values().next().value as VendorRuntime)
}

/** The run a call belongs to, by the strongest label; a label against a key-bound run is logged and ignored. */
export function chooseRun(
  labels: Exchange['labels'],
  caller: { key: KeyRecord; suffix: string | null },
  engine: Engine,
): { readonly run: string; readonly source: RunSource; readonly fault: Fault | null } {
  const { key, suffix } = caller
  const given = suffix === null ? labels : [{ source: 'suffix' as const, run: suffix }, ...labels]
  if (key.run !== null) {
    const against = given.find((label) => label.run !== key.run && label.source !== 'traceparent')
    if (against)
      engine.log('warn', 'run_label_ignored', {
        key: key.id,
        run: key.run,
        label: against.run.slice(0, 64),
        source: against.source,
      })
    return { run: key.run, source: 'key', fault: null }
  }
  const label = given[0]
  if (label === undefined)
    return { run: engine.ledger.implicitRun(key.rootId, IMPLICIT_RUN_IDLE_MS), source: 'implicit', fault: null }
  if (isRunId(label.run)) return { run: label.run, source: label.source, fault: null }
  return {
    run: engine.ledger.implicitRun(key.rootId, IMPLICIT_RUN_IDLE_MS),
    source: 'implicit',
    fault: { code: 'request_malformed', message: 'The run id must be 1 to 64 letters, digits, «_» or «-».' },
  }
}
