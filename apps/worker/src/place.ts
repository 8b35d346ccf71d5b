import type { JobPayload } from '@deblox/fleet/job'
import type { RunContext } from './run-action'

/** The epoch of this dock's claim to the slot, or the name of the living dock that has claimed it before. */
export async function place(
  { jobId, slot }: JobPayload,
  { fleet, hostname }: Pick<RunContext, 'fleet' | 'hostname'>,
): Promise<number | string> {
  let claim = await fleet.placements.claim(jobId, slot, hostname)
  while (claim.hostname !== hostname) {
    if (await fleet.docks.isLeased(claim.hostname)) return claim.hostname
    claim = await fleet.placements.reclaim(jobId, slot, hostname, claim)
  }
  return claim.epoch
}
