import { labelNames } from '@deblox/actions/create'
import { dockerStatus } from '@deblox/actions/docker-status'
import type { Placement, Placements } from '@deblox/fleet/placement'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { withDeadline } from '@deblox/actions/deadline'

const listMs = 20_000
const removeMs = 30_000

/** A container here that was made for one slot of a job. */
export interface Slotted {
  id: string
  job: string
  slot: number
  epoch: number
}

/**
 * Those containers whose slot another dock has been given since, in a later epoch: this dock was taken for dead while
 * its worker was away. A slot without a claim has been done with long ago, and its container is left alone.
 */
export const outbid = (containers: Slotted[], claims: (Placement | null)[], hostname: string): Slotted[] =>
  containers.filter(({ epoch }, n) => {
    const claim = claims[n]
    return claim && claim.hostname !== hostname && claim.epoch > epoch
  })

/** Removes what another dock has made anew; to be called before a dock that was away takes jobs again. */
export async function removeOutbid(docker: Docker, placements: Placements, hostname: string, log: Logger) {
  const never = new AbortController().signal
  const filters = { label: [labelNames.job] }
  const listed: unknown = await withDeadline(listMs, never, () => docker.listContainers({ all: true, filters }))
  // docker-modem passes a body that is cut short on as a Buffer: nothing may be deleted on that account.
  if (!Array.isArray(listed)) throw new Error('expected a list of containers from the daemon, got something else')
  const containers = (listed as Docker.ContainerInfo[]).map(slotted)
  const claims = await placements.read(containers)
  for (const { id, job, slot } of outbid(containers, claims, hostname)) {
    log.warn({ container: id, job, slot }, 'another dock was given this slot meanwhile; its container here is removed')
    await withDeadline(removeMs, never, () => docker.getContainer(id).remove({ force: true, v: true })).catch(
      ignoreGone,
    )
  }
}

const slotted = ({ Id, Labels }: Docker.ContainerInfo): Slotted => ({
  id: Id,
  job: Labels[labelNames.job] ?? '',
  slot: Number(Labels[labelNames.slot]),
  epoch: Number(Labels[labelNames.epoch]),
})

function ignoreGone(error: unknown): void {
  if (dockerStatus(error) !== 404) throw error
}
