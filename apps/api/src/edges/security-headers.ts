import type { RequestHandler } from 'express'
import helmet from 'helmet'

/** What a page may load, by directive of its Content-Security-Policy; what is not named it may not. */
export type Sources = Record<string, readonly string[]>

/** No page of ours is shown within another, sends forms elsewhere, or takes its links from an injected `<base>`. */
const always: Sources = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
}

/** One header, for a page that may load something. To be used behind `securityHeaders`, whose it replaces. */
export function pagePolicy(sources: Sources): RequestHandler {
  const directives = Object.fromEntries(Object.entries({ ...always, ...sources }).map(([name, of]) => [name, [...of]]))
  return helmet.contentSecurityPolicy({ useDefaults: false, directives })
}

/**
 * The headers of every answer, as tight as for one that no browser need show. There is no CORS header among them: no page of
 * another origin reads an answer. HTTPS is of whoever stands before the API, and so is Strict-Transport-Security.
 */
export const securityHeaders: readonly RequestHandler[] = [
  helmet({
    contentSecurityPolicy: false,
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  }),
  pagePolicy({}),
  (_request, response, next) => {
    // What somebody may see, others must not be shown out of a cache.
    response.set('Cache-Control', 'no-store')
    next()
  },
]
