import { createSecretKey } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import express from 'express'
import type { Fleet } from '@deblox/fleet/fleet'
import { sessionsOf } from '@deblox/fleet/sessions'
import { tokensOf } from '@deblox/fleet/tokens'
import { authenticateBy } from '../../apps/api/src/auth/authenticate'
import { jwtVerifierOf } from '../../apps/api/src/auth/jwt'
import { loginRouter } from '../../apps/api/src/auth/login'
import { throttleOf } from '../../apps/api/src/auth/throttle'
import type { OidcSettings } from '../../apps/api/src/config-oidc'
import { asFailure, problem } from '../../apps/api/src/errors'

const key = createSecretKey(Buffer.alloc(32, 1))

export interface SiteOptions {
  fleet: Fleet
  port: number
  settings: OidcSettings
  /** Failures a minute before they are refused. */
  failures?: number
  /** After which time unknown keys are asked for again, in milliseconds. */
  cooldownMs?: number
}

/** Nothing but the identities of the API, behind real HTTP: `/whoami` answers who asks, and counts who got so far. */
export class Site {
  readonly url: string
  served = 0
  readonly tokens
  readonly sessions
  readonly #server: Server

  private constructor({ fleet, port, settings, failures = 1_000, cooldownMs = 200 }: SiteOptions) {
    this.url = `http://127.0.0.1:${port}`
    this.tokens = tokensOf(fleet.redis, fleet.keys, [key])
    this.sessions = sessionsOf(fleet.redis, fleet.keys, [key])
    const throttle = throttleOf(fleet.redis, fleet.keys.failedLogins, failures)
    const authenticate = authenticateBy({
      auth: 'on',
      tokens: this.tokens,
      sessions: this.sessions,
      throttle,
      verifyJwt: jwtVerifierOf(settings, { cooldownMs }),
      ...(settings.client && { ownOrigin: settings.client.publicUrl.origin }),
    })
    const app = express()
    // The next test opens another site on the same port.
    app.use((_request, response, next) => {
      response.set('Connection', 'close')
      next()
    })
    if (settings.client) app.use('/auth', loginRouter({ settings, sessions: this.sessions, throttle, macKey: key }))
    app.use('/whoami', (request, response, next) => {
      void authenticate(request).then((known) => {
        if (known) this.served++
        response.status(known ? 200 : 401).json(known ?? {})
      }, next)
    })
    const tell: express.ErrorRequestHandler = (error, _request, response, _next) => {
      const { status, headers = {}, body } = problem(asFailure(error))
      response.status(status).set(headers).json(body)
    }
    app.use(tell)
    this.#server = createServer(app).listen(port, '127.0.0.1')
  }

  static async open(options: SiteOptions): Promise<Site> {
    const site = new Site(options)
    await once(site.#server, 'listening')
    return site
  }

  async whoami(headers: Record<string, string> = {}, method = 'GET'): Promise<Told> {
    const response = await fetch(`${this.url}/whoami`, { method, headers })
    return { status: response.status, body: (await response.json()) as Told['body'] }
  }

  withBearer(token: string): Promise<Told> {
    return this.whoami({ Authorization: `Bearer ${token}` })
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export interface Told {
  status: number
  body: { identity?: object; via?: string; code?: string; detail?: string; tokenId?: string }
}

/** A server that answers all that it is asked in the same way, and remembers what that was. */
export async function listener(answer: { status: number; headers?: Record<string, string>; body?: string }) {
  const asked: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(request.url ?? '')
    response.writeHead(answer.status, answer.headers).end(answer.body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    url: new URL(`http://127.0.0.1:${port}/keys`),
    asked,
    answer,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
