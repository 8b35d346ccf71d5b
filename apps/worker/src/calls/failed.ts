import { DeadlineError } from '@deblox/actions/deadline'
import { dockerMessage, dockerStatus } from '@deblox/actions/docker-status'
import { DebloxError } from '@deblox/actions/errors'
import { classify } from '../failure'
import type { CallContext } from './context'

/** How a call failed, with a code from the table. A daemon that could not be reached is told to whoever looks after it. */
export function failed(error: unknown, { daemon }: Pick<CallContext, 'daemon'>): DebloxError {
  if (error instanceof DebloxError) return error
  const status = dockerStatus(error)
  if (status !== undefined) return new DebloxError('docker_error', dockerMessage(error), { status, cause: error })
  if (error instanceof DeadlineError) return new DebloxError('call_timeout', error.message, { cause: error })
  const kind = classify(error)
  if (kind === 'not-sent') {
    daemon.set(false)
    return daemonAway(error)
  }
  const message = error instanceof Error ? error.message : String(error)
  if (kind === 'unknown')
    return new DebloxError('stream_broken', `the daemon's answer broke off: ${message}`, { cause: error })
  return new DebloxError('internal', message, { cause: error })
}

export const daemonAway = (cause?: unknown): DebloxError =>
  new DebloxError('daemon_unhealthy', 'expected the Docker daemon of the dock to answer; it does not', { cause })
