import type Docker from 'dockerode'
import type { ActionContext, JobIdentity } from '../define-action'

/** An id as Docker gives it. */
export const someId = '0123456789abcdef'.repeat(4)

export const someJob: JobIdentity = { id: 'job-7', slot: 1, numbered: false, epoch: 3, owner: 'anna', acceptedAt: 0 }

/** What an action gets from a worker, with a daemon's double and without a fleet. */
export function contextFor(docker: Docker, given: Partial<ActionContext> = {}): ActionContext {
  const noFleet = () => Promise.reject(new Error('this test expects nothing of the fleet'))
  return {
    docker,
    signal: new AbortController().signal,
    job: someJob,
    docks: { register: noFleet, unregister: noFleet },
    pullOnce: (_reference, signal, pull) => pull(signal),
    ...given,
  }
}
