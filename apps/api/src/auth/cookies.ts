import type { IncomingMessage } from 'node:http'
import { unauthenticated } from './authenticated'

/**
 * `__Host-`: a browser takes such a cookie from this host alone, without Domain, for all its paths, and Secure; over plain
 * HTTP only from localhost. No neighbouring host can set it.
 */
export const sessionCookie = '__Host-deblox'
export const loginCookie = '__Host-deblox-login'

/** The value of a cookie, or undefined. Throws `unauthenticated` where there are two of the name: which one is meant? */
export function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  const values = (headers.cookie ?? '').split(';').flatMap((part) => {
    const [key = '', ...rest] = part.split('=')
    return key.trim() === name ? [rest.join('=').trim()] : []
  })
  if (values.length > 1) throw unauthenticated(`Cookie: expected ${name} once, got it ${values.length} times`)
  return values[0]
}

/** A `Set-Cookie` that scripts cannot read, and that other sites' pages do not send but by a link. Life in milliseconds. */
export const setCookie = (name: string, value: string, lifeMs: number): string =>
  `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${Math.floor(lifeMs / 1000)}`

export const clearCookie = (name: string): string => setCookie(name, '', 0)
