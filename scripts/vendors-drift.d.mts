import type { SdkName, SdkOperation } from './vendor-operations.mjs'

export function listedOperations(vendor: SdkName): readonly SdkOperation[]
export function driftOf(
  operations: readonly SdkOperation[],
  match: (method: string, path: string) => { readonly params: Readonly<Record<string, string>> } | null,
): readonly string[]
