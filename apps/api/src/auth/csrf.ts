import type { IncomingMessage } from 'node:http'
import { DebloxError } from '@deblox/actions/errors'
import { hostOf, isLoopback } from './loopback'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What may change something, or opens a socket over which anything could be: that one begins as a GET. */
const isUnsafe = ({ method = '', headers }: IncomingMessage): boolean =>
  !safeMethods.has(method) || headers.upgrade !== undefined

/**
 * Throws `csrf_refused` where a page of another site could have sent a request that goes with a browser's cookie. Only
 * browsers have one, and they say where a request comes from: one that does not is refused.
 */
export function refuseCrossSite(request: IncomingMessage, ownOrigin: string | undefined): void {
  if (!isUnsafe(request)) return
  if (sourceOf(request, ownOrigin) !== 'own') throw refused(request, ownOrigin)
}

/**
 * For an API without identities. Throws `csrf_refused` for a request that a page of another site may have sent, also one
 * whose name was made to lead here (DNS rebinding): then the page's name is in Host. What says nothing of where it comes
 * from is no browser.
 */
export function refuseRemotePages(request: IncomingMessage): void {
  const host = request.headers.host ?? ''
  if (!isLoopback(hostOf(host) ?? '')) {
    throw new DebloxError(
      'csrf_refused',
      `Host: expected localhost or a loopback address, as AUTH is off; got ${quoted(host)}`,
    )
  }
  const origin = `http://${host}`
  if (isUnsafe(request) && sourceOf(request, origin) === 'other') throw refused(request, origin)
}

type Source = 'own' | 'other' | 'unsaid'

/** By Sec-Fetch-Site, which a page cannot set; by Origin where a browser does not know that one. */
function sourceOf({ headers }: IncomingMessage, ownOrigin: string | undefined): Source {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none' ? 'own' : 'other'
  const { origin } = headers
  if (origin === undefined) return 'unsaid'
  return ownOrigin !== undefined && origin.toLowerCase() === ownOrigin.toLowerCase() ? 'own' : 'other'
}

function refused({ headers }: IncomingMessage, ownOrigin: string | undefined): DebloxError {
  const site = headers['sec-fetch-site']
  const [header, expected, got] =
    typeof site === 'string'
      ? ['Sec-Fetch-Site', 'same-origin or none', site]
      : ['Origin', ownOrigin ?? "the API's own", headers.origin]
  return new DebloxError('csrf_refused', `${header}: expected ${expected}, got ${quoted(got)}`)
}

const quoted = (value: string | undefined): string =>
  value === undefined ? 'nothing' : JSON.stringify(value.slice(0, 100))
