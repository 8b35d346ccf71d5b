import { dockerMessage, dockerStatus } from '@deblox/actions/docker-status'
import { DebloxError } from '@deblox/actions/errors'
import type { JobError } from '@deblox/fleet/job'
import { DeadlineError } from '@deblox/actions/deadline'

/** `not-sent`: the daemon was never reached. `unknown`: it may have acted. `final`: it, or we, said no. */
export type FailureClass = 'not-sent' | 'unknown' | 'final'

const notSent = new Set(['ECONNREFUSED', 'ENOENT', 'EACCES'])

/** What a failed call to the daemon says about its effect. */
export function classify(error: unknown): FailureClass {
  if (error instanceof DebloxError) return error.code === 'lease_lost' ? 'not-sent' : 'final'
  if (dockerStatus(error) !== undefined) return 'final'
  if (error instanceof DeadlineError) return 'unknown'
  const code = errorCode(error)
  if (code === undefined) return 'final'
  return notSent.has(code) ? 'not-sent' : 'unknown'
}

/** A failure as the job reports it: our code, or the daemon's status and words. */
export function reportOf(error: unknown): JobError {
  if (error instanceof DebloxError) {
    const { code, status, message, details } = error
    return { code, status, message, ...(Object.keys(details).length > 0 ? { details } : {}) }
  }
  const status = dockerStatus(error)
  if (status !== undefined) return { code: 'docker_error', status, message: dockerMessage(error) }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'internal', status: 500, message }
}

/** Says that an effect is not known, and why. */
export const outcomeUnknown = (action: string, cause: unknown): DebloxError =>
  new DebloxError(
    'outcome_unknown',
    `${action}: expected the daemon's answer, got ${cause instanceof Error ? cause.message : 'none'}; it may have taken effect: look before you ask again`,
    { cause },
  )

function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined
}
