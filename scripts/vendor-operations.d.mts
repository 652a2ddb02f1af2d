/** `path` has `{placeholders}`; hosts beside the vendor's main one stand before it. */
export interface SdkOperation {
  readonly method: string
  readonly path: string
}

export type SdkName = 'stripe' | 'twilio' | 'resend'

/** @throws Error on a call whose path cannot be read */
export function sdkOperations(): Readonly<Record<SdkName, readonly SdkOperation[]>>
export function sdkVersion(name: SdkName): string
