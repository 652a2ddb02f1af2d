import { startGithub, type GithubOptions, type GithubSimulator } from '../../fixtures/simulators/github.js'
import { World } from '../helpers/world.js'

export const TOKEN = 'ghp_CANARYrealGithubToken0123456789ab'

export interface Made {
  readonly id: string
  readonly key: string
}

/** The whole product with a vendor by configuration beside the three: something of GitHub's shape, on loopback. */
export class HttpWorld {
  world!: World
  github!: GithubSimulator
  #policies = 0
  #credentials = 0

  static async start(options: Partial<GithubOptions> = {}): Promise<HttpWorld> {
    const made = new HttpWorld()
    made.github = await startGithub({ tokens: [TOKEN], ...options })
    made.world = await World.start({ SPENDGATE_ALLOW_PRIVATE_UPSTREAMS: '127.0.0.1' })
    return made
  }

  async close(): Promise<void> {
    await this.world.close()
    await this.github.close()
  }

  /** A credential at the simulator; its id. */
  async credential(vendor: string, auth: object, secret: object, more: object = {}): Promise<string> {
    const name = `main-${++this.#credentials}`
    const wish = { vendor, name, base_url: this.github.origin, auth, secret, ...more }
    return (await this.world.must('POST', '/credentials', wish)).id
  }

  /** A key under one block for one vendor. */
  async key(
    vendor: string,
    credentials: readonly string[],
    block: object,
    more: Record<string, unknown> = {},
  ): Promise<Made> {
    const name = `configured-${++this.#policies}`
    const { vendors, ...others } = more as { vendors?: object }
    await this.world.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name,
      daily_cap_usd: '100.00',
      ...others,
      vendors: { [vendor]: block, ...vendors },
    })
    return this.world.must('POST', '/keys', { name, policy: name, credentials })
  }

  /** A call with a JSON body. */
  json(key: Made, method: string, path: string, body: unknown, headers: Record<string, string> = {}) {
    return this.world.call(key.key, method, path, JSON.stringify(body), {
      'content-type': 'application/json',
      ...headers,
    })
  }
}
