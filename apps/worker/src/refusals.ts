import { DebloxError } from '@deblox/actions/errors'
import type { JobPayload } from '@deblox/fleet/job'
import { maxResult } from '@deblox/fleet/outcomes'
import { deadlineOf } from '@deblox/fleet/payload'

/** The daemon's answer is beyond what goes into Redis. */
export const tooLarge = (length: number): DebloxError =>
  new DebloxError(
    'result_too_large',
    `expected at most ${maxResult} characters from the daemon, got ${length}; ask for less`,
  )

/** The job was meant for another machine. */
export const replaced = (hostname: string): DebloxError =>
  new DebloxError(
    'dock_replaced',
    `expected the machine that was ${hostname} when the job was accepted, got another one of that name; nothing was done`,
  )

/** It is what kills its workers, or seems to be. */
export const workerDied = (starts: number): DebloxError =>
  new DebloxError(
    'worker_died',
    `expected a worker to live through it, but ${starts} that had begun it died; it may have taken effect: look before you ask again`,
  )

/** It was not begun in time. `begun`: by a worker that did not end it. */
export const expired = (payload: Pick<JobPayload, 'expiresAt' | 'acceptedAt'>, begun = false): DebloxError =>
  new DebloxError(
    'job_expired',
    `expected to be begun before ${new Date(deadlineOf(payload)).toISOString()}, but was not; ` +
      (begun ? 'a worker that died may have done it: look before you ask again' : 'nothing was done'),
  )
