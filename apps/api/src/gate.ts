import type { Identity } from '@deblox/actions/access/identity'
import type { Permission } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import type { Request, Response } from 'express'
import { asFailure } from './errors'
import type { About, Answer, Via } from './route'

/** Who asks, and by what he is known. */
export interface Known {
  identity: Identity
  via: Via
  tokenId?: string
}

/** What the application asks about a request before it does anything with it. */
export interface Gate {
  /** Throws `unauthenticated`, `csrf_refused` or `too_many_requests`; answers undefined where nobody says who he is. */
  know(request: Request, response: Response): Promise<Known | undefined>
  /** Who sends it, asked again while it is being answered. Throws as `know` does. */
  still(request: Request): Promise<Known | undefined>
  addressOf(request: Request): string
  requestIdOf(request: Request): string
}

/** A decision, for the audit. */
export interface Decided extends About {
  known: Known | undefined
  permission: Permission
  address: string
  requestId: string
  status: number
  /** Of the failure, where it is one. */
  code?: string
}

export interface Asked {
  request: Request
  response: Response
  permission: Permission
  isPublic: boolean
  about: About
}

/** Carries out what somebody asks for, if he is known and may, and tells the audit how that went. */
export async function decided<T extends Pick<Answer, 'status' | 'code'>>(
  { request, response, permission, isPublic, about }: Asked,
  { gate, onDecided }: { gate: Gate; onDecided: (decided: Decided) => void },
  serve: (known: Known) => Promise<T>,
): Promise<T> {
  let known: Known | undefined
  const told = ({ status, code }: Pick<Answer, 'status' | 'code'>) => {
    if (isPublic) return
    const origin = { address: gate.addressOf(request), requestId: gate.requestIdOf(request) }
    onDecided({ permission, ...about, ...origin, known, status, ...(code !== undefined && { code }) })
  }
  try {
    known = isPublic ? stranger : await gate.know(request, response)
    if (!known) throw unauthenticated()
    const answer = await serve(known)
    told(answer)
    return answer
  } catch (error) {
    told(asFailure(error))
    throw error
  }
}

const stranger: Known = { identity: { subject: '', teams: [], role: 'viewer' }, via: 'nothing' }

export const unauthenticated = (): DebloxError =>
  new DebloxError(
    'unauthenticated',
    'Authorization: expected `Bearer` and a token, or a login in the browser (/auth/login, where there is an authority), got neither',
  )
