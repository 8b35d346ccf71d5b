import { DebloxError } from '@deblox/actions/errors'
import type { Known } from '../gate'

/** Everybody, where AUTH is off. */
export const anonymous: Known = { identity: { subject: 'anonymous', teams: [], role: 'admin' }, via: 'off' }

/** A subject or a team's name: visible ASCII, so that it means the same in a label, a header and a log. */
export const nameForm = /^[\x21-\x7e]{1,128}$/

/** Subjects that stand for something else: somebody of that name would be taken for it. */
export const reservedSubject = /^(team:|anonymous$)/

/** A credential that is not good. It never becomes somebody else's, or nobody's. */
export const unauthenticated = (message: string, cause?: unknown): DebloxError =>
  new DebloxError('unauthenticated', message, { cause })

/** The authority does not answer: who asks is not known, and it is not his fault. */
export const authorityAway = (message: string, cause?: unknown): DebloxError =>
  new DebloxError('unauthenticated', message, { cause, status: 503 })
