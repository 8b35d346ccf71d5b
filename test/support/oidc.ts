import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWK, type CryptoKey as SigningKey } from 'jose'
import { freePort } from './free-port'
import { RunningProcess } from './processes'
import { repository } from './repository'

/** A key of the authority: what it signs with, and by which name. */
export interface AuthorityKey {
  kid: string
  alg: string
  privateKey: SigningKey
  publicKey: SigningKey
  jwk: JWK
}

export async function newKey(alg = 'ES256'): Promise<AuthorityKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const kid = randomUUID()
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(privateKey)), kid, alg, use: 'sig' } }
}

export interface AuthorityOptions {
  /** Where browsers are sent back to. */
  redirectUri: string
  groups: Record<string, string[]>
  lifeSeconds?: number
}

/** The npm package `oidc-provider` in a process of its own: people log in to it by saying who they are. */
export class Authority {
  readonly issuer: string
  readonly audience = 'https://deblox.test'
  key: AuthorityKey
  readonly #port: number
  readonly #options: AuthorityOptions
  #process: RunningProcess | undefined

  private constructor(port: number, key: AuthorityKey, options: AuthorityOptions) {
    this.issuer = `http://127.0.0.1:${port}`
    this.key = key
    this.#port = port
    this.#options = options
  }

  static async start(options: AuthorityOptions): Promise<Authority> {
    const authority = new Authority(await freePort(), await newKey(), options)
    await authority.launch()
    return authority
  }

  async launch(): Promise<void> {
    const { redirectUri, groups, lifeSeconds = 300 } = this.#options
    const settings = {
      port: this.#port,
      keys: [this.key.jwk],
      audience: this.audience,
      redirectUri,
      groups,
      lifeSeconds,
    }
    this.#process = new RunningProcess({
      name: 'oidc-provider',
      command: process.execPath,
      args: [join(repository, 'test/support/oidc-provider.mjs')],
      env: { OIDC_PROVIDER: JSON.stringify(settings) },
    })
    await this.#process.waitForLine(/an authority at/)
  }

  /** Signs with another key from now on, and knows the old one no more. */
  async rotate(): Promise<void> {
    await this.stop()
    this.key = await newKey()
    await this.launch()
  }

  async stop(): Promise<void> {
    await this.#process?.kill()
    this.#process = undefined
  }

  /** An access token of a program, as a JWT. */
  async accessToken(resource = this.audience): Promise<string> {
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from('robot:of-the-robot').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'deblox', resource }),
    })
    const body = (await response.json()) as { access_token?: string }
    if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`)
    return body.access_token
  }
}
