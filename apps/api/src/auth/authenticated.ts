import { DebloxError } from '@deblox/actions/errors'
import type { Known } from '../gate'

/** Everybody, where AUTH is off. */
export const anonymous: Known = { identity: { subject: 'anonymous', teams: [], role: 'admin' }, via: 'off' }

/** A subject: visible ASCII, so that it means the same in a label, a header and a log. */
export const nameForm = /^[\x21-\x7e]{1,128}$/

/** A team's name: with `team:` before it, it is as long as a subject at the most. */
export const teamForm = /^[\x21-\x7e]{1,123}$/

/**
 * Subjects that stand for something else: somebody of that name would be taken for it. `admin` is whoever comes with the
 * environment's token, or with the first one.
 */
export const reservedSubject = /^(team:|(?:admin|anonymous)$)/

/** A credential that is not good. It never becomes somebody else's, or nobody's. */
export const unauthenticated = (message: string, cause?: unknown): DebloxError =>
  new DebloxError('unauthenticated', message, { cause })

/** The authority does not answer: who asks is not known, and it is not his fault. */
export const authorityAway = (message: string, cause?: unknown): DebloxError =>
  new DebloxError('unauthenticated', message, { cause, status: 503 })
