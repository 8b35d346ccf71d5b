import type { IncomingMessage } from 'node:http'
import { timingSafeEqual } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import type { Sessions } from '@deblox/fleet/sessions'
import { isTokenLike, parseToken } from '@deblox/fleet/token-text'
import type { Tokens } from '@deblox/fleet/tokens'
import { type AddressOf, addressesBehind } from '../edges/origin'
import type { Known } from '../gate'
import { anonymous, unauthenticated } from './authenticated'
import { cookieOf, sessionCookie } from './cookies'
import { refuseCrossSite, refuseRemotePages } from './csrf'
import type { VerifyJwt } from './jwt'
import type { Throttle } from './throttle'

export interface AuthenticationDeps {
  auth: 'on' | 'off'
  tokens: Pick<Tokens, 'verify'>
  sessions: Pick<Sessions, 'verify'>
  throttle: Throttle
  /** The environment's token: an admin's. */
  adminToken?: string
  /** Without it there is no authority, and no JWT is good. */
  verifyJwt?: VerifyJwt
  /** Whose pages may use the cookie of a login. */
  ownOrigin?: string
  /** Where a request comes from; the connection's other end unless told. */
  addressOf?: AddressOf
}

/**
 * Who sends a request, by its headers alone: nothing of it is read, looked up or done before. Undefined where it does not say.
 * Throws `unauthenticated` for a credential that is not good, or for two of them; `forbidden` for somebody whom the authority
 * knows and who has no role; `csrf_refused`; `too_many_requests`.
 */
export type Authenticate = (request: IncomingMessage) => Promise<Known | undefined>

export function authenticateBy(deps: AuthenticationDeps): Authenticate {
  const knowToken = tokenKnower(deps)
  const addressOf = deps.addressOf ?? addressesBehind()

  async function know(credential: Credential, request: IncomingMessage): Promise<Known> {
    if (credential.kind === 'session') {
      refuseCrossSite(request, deps.ownOrigin)
      const identity = await deps.sessions.verify(credential.id)
      if (identity) return { identity, via: 'session' }
      throw unauthenticated('Cookie: expected a login that has not ended, got another (see /auth/login)')
    }
    if (credential.kind === 'token') return knowToken(credential.text)
    if (deps.verifyJwt) return { identity: await deps.verifyJwt(credential.text), via: 'jwt' }
    throw unauthenticated('Authorization: expected `Bearer dbx_…`, got another form, and no authority is set up for it')
  }

  return async (request) => {
    if (deps.auth === 'off') {
      refuseRemotePages(request)
      return anonymous
    }
    try {
      const credential = credentialOf(request)
      return credential && (await know(credential, request))
    } catch (error) {
      // Away is not wrong.
      if (error instanceof DebloxError && error.status === 401)
        await deps.throttle.failed(addressOf(request), idIn(request))
      throw error
    }
  }
}

/** The environment's token is looked at first: it is good while Redis is away, too. */
function tokenKnower({ tokens, adminToken }: AuthenticationDeps): (text: string) => Promise<Known> {
  const own = adminToken === undefined ? undefined : parseToken(adminToken)
  return async (text) => {
    const parsed = parseToken(text)
    if (own && parsed && parsed.id === own.id && isSame(parsed.hash, own.hash)) {
      return { identity: { subject: 'admin', teams: [], role: 'admin' }, via: 'token', tokenId: own.id }
    }
    const found = await tokens.verify(text)
    if (found) return { identity: found.identity, via: 'token', tokenId: found.id }
    throw unauthenticated('Authorization: expected a token that counts, got one that is unknown, revoked or expired')
  }
}

const isSame = (one: string, other: string): boolean => timingSafeEqual(Buffer.from(one), Buffer.from(other))

type Credential = { kind: 'token' | 'jwt'; text: string } | { kind: 'session'; id: string }

function credentialOf(request: IncomingMessage): Credential | undefined {
  const bearer = bearerOf(request)
  const session = cookieOf(request, sessionCookie)
  if (bearer !== undefined && session !== undefined) {
    throw unauthenticated('Authorization: expected it or the cookie of a login, got both')
  }
  if (bearer !== undefined) return { kind: isTokenLike(bearer) ? 'token' : 'jwt', text: bearer }
  return session === undefined ? undefined : { kind: 'session', id: session }
}

function bearerOf({ headersDistinct }: IncomingMessage): string | undefined {
  const values = headersDistinct['authorization'] ?? []
  if (values.length > 1) throw unauthenticated(`Authorization: expected it once, got it ${values.length} times`)
  const [value] = values
  if (value === undefined) return undefined
  const bearer = /^bearer +([\w.~+/=-]+)$/i.exec(value)?.[1]
  if (bearer === undefined)
    throw unauthenticated('Authorization: expected `Bearer` and a token or JWT, got another form')
  return bearer
}

/** The id that a wrong token names. */
const idIn = ({ headers }: IncomingMessage): string | undefined =>
  parseToken(headers.authorization?.replace(/^bearer +/i, '') ?? '')?.id
