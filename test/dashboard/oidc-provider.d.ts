/** As much of it as the tests use; the package ships no types (oidc-provider 9.13, November 2026). */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export default class Provider {
    constructor(issuer: string, configuration: object)
    callback(): (incoming: IncomingMessage, outgoing: ServerResponse) => void
    interactionFinished(incoming: IncomingMessage, outgoing: ServerResponse, result: object): Promise<void>
    readonly Grant: new (of: { clientId: string; accountId: string }) => {
      addOIDCScope(scope: string): void
      save(): Promise<string>
    }
  }
}
