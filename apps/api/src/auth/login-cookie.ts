import type { KeyObject } from 'node:crypto'
import { withMac, withoutMac } from '@deblox/fleet/maced'
import { unauthenticated } from './authenticated'

/** What belongs to one login, and is checked against what the authority sends back. */
export interface LoginSecrets {
  state: string
  nonce: string
  /** PKCE: whoever has read the code on its way has no use for it. */
  verifier: string
}

export interface BegunLogin extends LoginSecrets {
  returnTo: string
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** Somebody gets so long to say who he is, in milliseconds. */
export const loginLifeMs = 10 * 60 * 1000

const macName = 'login'

/** A begun login as a cookie: it is kept nowhere else, so that beginning many of them costs nothing. */
export const writeLogin = (login: BegunLogin, key: KeyObject): string =>
  Buffer.from(withMac(macName, JSON.stringify(login), key)).toString('base64url')

/** Throws `unauthenticated` for a cookie that is none of ours, or too old. */
export function readLogin(cookie: string | undefined, key: KeyObject, now = Date.now()): BegunLogin {
  const text = cookie === undefined ? undefined : withoutMac(macName, Buffer.from(cookie, 'base64url').toString(), key)
  const login = text === undefined ? undefined : (JSON.parse(text) as BegunLogin)
  if (login && login.expiresAt > now) return login
  throw unauthenticated(
    'Cookie: expected that of a login that began in this browser a while ago, got none; go to /auth/login',
  )
}
