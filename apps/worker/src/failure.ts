import { DeadlineError } from '@deblox/actions/deadline'
import { dockerMessage, dockerStatus } from '@deblox/actions/docker-status'
import { DebloxError } from '@deblox/actions/errors'
import type { JobError } from '@deblox/fleet/job'

/**
 * What a failed call to the daemon says about its effect. `not-sent`: the daemon was never reached. `unknown`: it may have
 * acted. `timed-out`: the same, after a long time. `server-error`: it says that it failed, but may have acted before it did.
 * `final`: it, or we, said no.
 */
export type FailureClass = 'not-sent' | 'unknown' | 'timed-out' | 'server-error' | 'final'

interface Retry {
  /** How often an action that may be repeated is tried in all. */
  tries: number
  /** Before the second try, doubled before each further one, in milliseconds. */
  firstPauseMs: number
}

/**
 * What is done after each class. To try again is to look what happened: an action that may be repeated finds what an
 * earlier try did. What was not sent waits for the daemon, however often.
 */
export const retries: Record<FailureClass, Retry> = {
  'not-sent': { tries: Infinity, firstPauseMs: 0 },
  unknown: { tries: 6, firstPauseMs: 100 },
  'timed-out': { tries: 2, firstPauseMs: 100 },
  'server-error': { tries: 3, firstPauseMs: 250 },
  final: { tries: 1, firstPauseMs: 0 },
}

const longestPauseMs = 5_000

/** How long to wait before the next try, after so many failures of a class; null where there is none. */
export function pauseBefore(kind: FailureClass, failures: number): number | null {
  const { tries, firstPauseMs } = retries[kind]
  return failures >= tries ? null : Math.min(firstPauseMs * 2 ** (failures - 1), longestPauseMs)
}

const notSent = new Set(['ECONNREFUSED', 'ENOENT', 'EACCES'])

/** The class of a failure. */
export function classify(error: unknown): FailureClass {
  if (error instanceof DebloxError) return classOfOwn(error)
  const status = dockerStatus(error)
  if (status !== undefined) return classOfStatus(status)
  if (error instanceof DeadlineError) return 'timed-out'
  const code = errorCode(error)
  if (code === undefined) return 'final'
  return notSent.has(code) ? 'not-sent' : 'unknown'
}

function classOfOwn({ code, status }: DebloxError): FailureClass {
  if (code === 'lease_lost') return 'not-sent'
  return code === 'docker_error' ? classOfStatus(status) : 'final'
}

const classOfStatus = (status: number): FailureClass => (status >= 500 ? 'server-error' : 'final')

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
