import type { RequestHandler } from 'express'
import { type AddressOf, requestIdOf } from './origin'
import type { Rates } from './rates'
import { securityHeaders } from './security-headers'

/** What stands before every route and page, in its order: headers, the request's id, and how much may come from one address. */
export function edges({
  rates,
  addressOf,
}: {
  rates: Pick<Rates, 'ofAddress'>
  addressOf: AddressOf
}): RequestHandler[] {
  return [
    ...securityHeaders,
    (request, response, next) => {
      response.set('X-Request-Id', requestIdOf(request))
      next()
    },
    async (request, _response, next) => {
      await rates.ofAddress(addressOf(request))
      next()
    },
  ]
}
