import { setTimeout as wait } from 'node:timers/promises'
import { type Claim, decidePlacement, type Liveness, type Placement } from '@deblox/fleet/claim'
import type { JobPayload } from '@deblox/fleet/job'
import type { RunContext } from './run-action'

export type PlaceContext = Pick<RunContext, 'fleet' | 'hostname'> & {
  /** How long nobody may be called dead yet, in milliseconds: after an outage that kept all docks from renewing. */
  graceMs?(): number
}

/** Where a slot stands: it is this dock's to act on, a living dock's, or it has ended before. */
type Placed = { act: number } | { forward: Placement } | { ended: true }

/** During a grace the claim is looked at again so often, in milliseconds: its holder may renew at any moment. */
const lookAgainMs = 500

/** Claims the slot for this dock, unless it is a living dock's or has ended. Rejects with the signal's reason. */
export async function placeSlot(
  { jobId, slot, origin = jobId }: JobPayload,
  context: PlaceContext,
  signal: AbortSignal = new AbortController().signal,
): Promise<Placed> {
  const { fleet, hostname } = context
  const { placements } = fleet
  let claim: Claim = await placements.claim(origin, slot, hostname, jobId)
  for (;;) {
    signal.throwIfAborted()
    let decision = decidePlacement(claim, hostname, 'unknown')
    // Only where it matters: to be sure that a dock lives or does not takes a while.
    if (decision.do === 'wait') decision = decidePlacement(claim, hostname, await livenessOf(claim.hostname, context))
    switch (decision.do) {
      case 'act':
        return { act: decision.to.epoch }
      case 'forward':
        return { forward: decision.to }
      case 'end':
        return { ended: true }
      case 'reclaim':
        claim = await placements.reclaim(origin, slot, hostname, decision.was, jobId)
        break
      case 'wait':
      case 'claim':
        // The holder may renew, or give the slot up, at any moment.
        if (decision.do === 'wait') await wait(lookAgainMs, undefined, { signal }).catch(() => {})
        claim = await placements.claim(origin, slot, hostname, jobId)
    }
  }
}

async function livenessOf(holder: string, context: PlaceContext): Promise<Liveness> {
  if (await context.fleet.docks.isLeased(holder)) return 'alive'
  return (context.graceMs?.() ?? 0) > 0 ? 'unknown' : 'dead'
}
