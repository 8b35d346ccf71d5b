import type Docker from 'dockerode'
import type { ActionContext, DockOwners, JobIdentity } from '../define-action'

/** An id as Docker gives it. */
export const someId = '0123456789abcdef'.repeat(4)

export const someJob: JobIdentity = { id: 'job-7', slot: 1, numbered: false, epoch: 3, owner: 'anna', acceptedAt: 0 }

/** A double that believes every label, and gives nothing away. */
export const ownersDouble: DockOwners = {
  ownerOf: (_id, labels) => labels['deblox.owner'] ?? null,
  proof: (owner, job, slot) => `${owner} ${job} ${slot}`,
  give: () => Promise.reject(new Error('this test gives no container away')),
}

/** What an action gets from a worker, with a daemon's double and without a fleet. */
export function contextFor(docker: Docker, given: Partial<ActionContext> = {}): ActionContext {
  const noFleet = () => Promise.reject(new Error('this test expects nothing of the fleet'))
  return {
    docker,
    dock: 'dock-1',
    signal: new AbortController().signal,
    job: someJob,
    rules: { profile: 'privileged' },
    owners: ownersDouble,
    docks: { register: noFleet, unregister: noFleet },
    pullOnce: (_reference, signal, pull) => pull(signal),
    ...given,
  }
}
