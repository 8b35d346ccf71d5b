import type { KeyObject } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import express, { type Request, type RequestHandler, type Router } from 'express'
import type { Sessions } from '@deblox/fleet/sessions'
import { times } from '@deblox/fleet/names'
import type { OidcSettings } from '../config-oidc'
import { type AddressOf, addressesBehind } from '../edges/origin'
import { identityOf } from './claims'
import { clearCookie, cookieOf, loginCookie, sessionCookie, setCookie } from './cookies'
import { refuseCrossSite } from './csrf'
import { readLogin, writeLogin, loginLifeMs } from './login-cookie'
import { openRelyingParty } from './relying-party'
import { localPath } from './return-to'
import type { Throttle } from './throttle'

export interface LoginDeps {
  settings: OidcSettings
  sessions: Pick<Sessions, 'begin' | 'end'>
  throttle: Throttle
  /** Signs what the browser keeps while it is at the authority. */
  macKey: KeyObject
  /** Where a request comes from; the connection's other end unless told. */
  addressOf?: AddressOf
}

/**
 * Login with a browser, to be mounted at `/auth`, where no identity is asked for: `GET login?returnTo=/path` sends it to the
 * authority, which sends it back to `GET callback`; `POST logout` ends the session on every replica.
 */
export function loginRouter(deps: LoginDeps): Router {
  const { client } = deps.settings
  if (!client) throw new Error('expected an OIDC client, got none')
  const { settings, sessions, throttle, macKey, addressOf = addressesBehind() } = deps
  const party = openRelyingParty(settings)
  const ownOrigin = client.publicUrl.origin
  const router = express.Router()

  const login: RequestHandler = async (request, response) => {
    const { url, secrets } = await party.begin()
    const returnTo = localPath(request.query['returnTo'], client.publicUrl)
    const cookie = writeLogin({ ...secrets, returnTo, expiresAt: Date.now() + loginLifeMs }, macKey)
    response.append('Set-Cookie', setCookie(loginCookie, cookie, loginLifeMs))
    response.redirect(303, url.href)
  }

  const callback: RequestHandler = async (request, response) => {
    await throttle.check(addressOf(request))
    response.append('Set-Cookie', clearCookie(loginCookie))
    try {
      const { returnTo, ...secrets } = readLogin(cookieOf(request, loginCookie), macKey)
      const claims = await party.finish(request.originalUrl, secrets)
      const id = await sessions.begin(identityOf(claims, settings))
      // Whoever was logged in there before no longer is: a session is never taken over from before a login.
      await end(sessions, request)
      response.append('Set-Cookie', setCookie(sessionCookie, id, times.session))
      response.redirect(303, returnTo)
    } catch (error) {
      if (error instanceof DebloxError && error.status === 401) await throttle.failed(addressOf(request))
      throw error
    }
  }

  const logout: RequestHandler = async (request, response) => {
    refuseCrossSite(request, ownOrigin)
    await end(sessions, request)
    response.append('Set-Cookie', clearCookie(sessionCookie))
    response.status(204).end()
  }

  router.use(unkept)
  const pages = [
    ['get', '/login', login],
    ['get', '/callback', callback],
    ['post', '/logout', logout],
  ] as const
  for (const [method, path, handler] of pages) router[method](path, handler)
  return router
}

/** Addresses here carry codes: they are neither stored nor told to the next page. */
const unkept: RequestHandler = (_request, response, next) => {
  response.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' })
  next()
}

async function end(sessions: Pick<Sessions, 'end'>, request: Request): Promise<void> {
  const id = cookieOf(request, sessionCookie)
  if (id !== undefined) await sessions.end(id)
}
