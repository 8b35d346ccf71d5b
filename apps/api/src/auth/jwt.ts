import { createRemoteJWKSet, customFetch, decodeProtectedHeader, errors, jwtVerify, type RemoteJWKSet } from 'jose'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import type { OidcSettings } from '../config-oidc'
import { askAuthority, describeAuthority, once, resting } from './authority'
import { authorityAway, unauthenticated } from './authenticated'
import { identityOf } from './claims'
import { isSafeUrl } from './loopback'

/** Signatures by keys of which the other half is the authority's alone: never none, never a shared secret. */
export const algorithms = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
]

/** Ways in which a JWT may tell by which key it is to be checked. Ours come from the configuration. */
const ownKeys = ['jku', 'jwk', 'x5u', 'x5c']

/** What a JWT may be: an access token, or one that does not say. */
const types = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt'])

/** Clocks may differ by so much, in seconds. */
const clockTolerance = 30

const maxLength = 8_192

export interface JwtOptions {
  /** After keys were read, an unknown one makes them be read again only then, in milliseconds. */
  cooldownMs?: number
}

/** Checks a JWT of the authority. */
export type VerifyJwt = (token: string) => Promise<Identity>

/**
 * Throws `unauthenticated` for a JWT that the authority has not signed, for us, for now; `forbidden` where it gives no role;
 * `unauthenticated` with status 503 where the authority's keys cannot be read.
 */
export function jwtVerifierOf(settings: OidcSettings, { cooldownMs = 30_000 }: JwtOptions = {}): VerifyJwt {
  const { issuer, audience } = settings
  const keySet = once(() => openKeySet(settings, cooldownMs))

  return async (token) => {
    if (audience === undefined) throw refused('none at all: DEBLOX_OIDC_AUDIENCE is not set')
    requireOwnHeader(token)
    try {
      const { payload } = await jwtVerify(token, await keySet(), {
        issuer,
        audience,
        algorithms,
        clockTolerance,
        requiredClaims: ['exp', 'sub'],
      })
      if (payload['cnf'] !== undefined) throw refused('one that is bound to a key: `Bearer` proves none')
      return identityOf(payload, settings)
    } catch (error) {
      throw explain(error, issuer)
    }
  }
}

/** Throws where a JWT brings the key along by which it wants to be believed, or is no JWT for a caller. */
function requireOwnHeader(token: string): void {
  if (token.length > maxLength) throw refused(`one of more than ${maxLength} characters`)
  const header = headerOf(token)
  const own = ownKeys.find((name) => name in header)
  if (own !== undefined) throw refused(`one that brings its own key (${own})`)
  const { typ } = header
  if (!types.has(typeof typ === 'string' ? typ.toLowerCase() : typ)) throw refused('one of another type (typ)')
}

function headerOf(token: string): { typ?: string } {
  try {
    return decodeProtectedHeader(token)
  } catch (error) {
    throw refused('what is neither a token nor a JWT', error)
  }
}

async function openKeySet({ issuer, jwksUrl }: OidcSettings, cooldownDuration: number): Promise<RemoteJWKSet> {
  const url = jwksUrl ?? keysUrlOf(await describeAuthority(issuer))
  return createRemoteJWKSet(url, { cooldownDuration, [customFetch]: resting(askForKeys) })
}

async function askForKeys(url: string, options: RequestInit): Promise<Response> {
  const response = await askAuthority(url, options)
  if (response.status !== 200) throw new Error(`expected status 200, got ${response.status}`)
  const keySet = (await response.clone().json()) as { keys?: unknown } | null
  if (!Array.isArray(keySet?.keys)) throw new Error('expected a JWK set, got something else')
  return response
}

function keysUrlOf({ jwks_uri: uri }: Record<string, unknown>): URL {
  if (typeof uri === 'string' && URL.canParse(uri) && isSafeUrl(new URL(uri))) return new URL(uri)
  throw new Error('jwks_uri: expected an https:// URL, or http:// to a loopback address')
}

/** What is wrong with a JWT, where it is the JWT. */
const faults: Record<string, string> = {
  ERR_JWT_EXPIRED: 'one that has expired',
  ERR_JWT_INVALID: 'what is no JWT',
  ERR_JWS_INVALID: 'what is no JWT',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'one with another signature',
  ERR_JOSE_ALG_NOT_ALLOWED: 'one with an algorithm that is not allowed (alg)',
  ERR_JOSE_NOT_SUPPORTED: 'one with a header that is not supported',
  ERR_JWKS_NO_MATCHING_KEY: 'one by a key that the authority does not have (kid)',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'one that does not say by which key (kid)',
}

function explain(error: unknown, issuer: string): unknown {
  if (!(error instanceof errors.JOSEError)) return away(issuer, error)
  if (error instanceof errors.JWTClaimValidationFailed) return refused(`one with another or no ${error.claim}`, error)
  const fault = faults[error.code]
  return fault === undefined ? away(issuer, error) : refused(fault, error)
}

const away = (issuer: string, cause: unknown) =>
  cause instanceof DebloxError
    ? cause
    : authorityAway(`JWT: expected ${issuer} to tell its keys, got no answer that can be used`, cause)

const refused = (got: string, cause?: unknown) =>
  unauthenticated(`Authorization: expected a JWT of DEBLOX_OIDC_ISSUER for DEBLOX_OIDC_AUDIENCE, got ${got}`, cause)
