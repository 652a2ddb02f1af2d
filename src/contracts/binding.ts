import type { Operation, SecretParts } from './vendor.js'

/*
 * Vendors by configuration: any HTTP API. What they have in common is code; where a call goes and how the secret is
 * put into it belongs to the credential, is sealed with the secret, and cannot be changed under it.
 */

/** How a secret is put into requests, as the operator says it. Its parts by scheme stand in docs/http-vendors.md. */
export type AuthScheme =
  | { readonly scheme: 'bearer' }
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'header'; readonly name: string; readonly prefix?: string | undefined }
  | { readonly scheme: 'query'; readonly name: string }
  | {
      readonly scheme: 'hmac'
      readonly algorithm?: 'sha256' | 'sha512' | undefined
      readonly encoding?: 'hex' | 'base64' | undefined
      /** What is signed, with `{timestamp} {method} {target} {path} {query} {body} {body_sha256}`. */
      readonly payload?: string | undefined
      readonly timestamp?: 'seconds' | 'milliseconds' | 'iso' | undefined
      readonly signature_header?: string | undefined
      readonly timestamp_header?: string | undefined
      readonly key_header?: string | undefined
    }
  | {
      readonly scheme: 'oauth2'
      readonly token_url: string
      readonly scope?: string | undefined
      readonly audience?: string | undefined
      /** Whether id and secret go as Basic (RFC 6749 §2.3.1), which is the default, or in the form. */
      readonly client?: 'basic' | 'body' | undefined
      /** Header the token goes into, as it is; absent: `Authorization`, as Bearer. */
      readonly header?: string | undefined
    }

/** What the operator says of a credential beside its secret. What is absent comes from the vendor's preset, if it has one. */
export interface BindingWish {
  readonly base_url?: string | undefined
  readonly auth?: AuthScheme | undefined
  /** Headers sent with every call. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A credential of a vendor by configuration, opened: where calls go and what makes them the operator's. */
export interface Binding {
  /** Origin and what stands before every path: `https://api.github.com`, `https://git.corp.example/api/v3`. No slash at the end. */
  readonly baseUrl: string
  /** Names (lower case) and values in turn. */
  readonly headers: readonly string[]
  readonly entry: Entry
}

/** Where the secret stands in a request. */
export type Entry =
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'query'; readonly name: string; readonly value: string }
  | { readonly kind: 'signature'; readonly signing: Signing }
  | { readonly kind: 'token'; readonly grant: Grant }

/** An HMAC over the request as it leaves. Names of headers are lower case. */
export interface Signing {
  readonly key: string
  readonly keyId: string | null
  readonly algorithm: 'sha256' | 'sha512'
  readonly encoding: 'hex' | 'base64'
  readonly payload: string
  readonly timestamp: 'seconds' | 'milliseconds' | 'iso'
  readonly signatureHeader: string
  readonly timestampHeader: string
  readonly keyHeader: string
}

/** A request for an access token (RFC 6749 §4.4). */
export interface Grant {
  readonly tokenUrl: string
  /** Names (lower case) and values in turn. */
  readonly headers: readonly string[]
  readonly form: readonly (readonly [string, string])[]
  /** Name (lower case) of the header that the token goes into, and what stands before it. */
  readonly header: string
  readonly prefix: string
}

/** Names of headers (lower case) and of query parameters in which a vendor's clients show their key. */
export interface Places {
  readonly headers: readonly string[]
  readonly query: readonly string[]
}

/** What a vendor by configuration can say of its calls and credentials. */
export interface Bindings {
  /** The operation that a call is, made for this call alone: what it costs by is known once its policies are. Null for a method that is not taken. */
  operation(method: string): Operation | null
  /**
   * What is sealed beside the secret, completed by the preset. A fault names the field; it holds no secret.
   * Addresses are judged by the engine.
   */
  settings(wish: BindingWish): SecretParts | { readonly path: string; readonly message: string }
  /** Names of the parts that `settings` gives: a rotation keeps them. */
  readonly settingNames: readonly string[]
  of(parts: SecretParts): Binding
  /** Addresses that calls under these parts go to: the API's, and the one tokens come from. */
  addresses(parts: SecretParts): readonly string[]
  places(parts: SecretParts): Places
}
