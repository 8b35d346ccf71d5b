import { setTimeout as wait } from 'node:timers/promises'
import { type Claim, decidePlacement, type Liveness, type Placement } from '@deblox/fleet/claim'
import { anyDock } from '@deblox/fleet/job'
import type { Reason } from '@deblox/fleet/job-telling'
import { clusterTopic } from '@deblox/fleet/names'
import { payloadOf, type RunContext, type Taken } from './run-context'

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
  taken: Taken,
  context: PlaceContext,
  signal: AbortSignal = new AbortController().signal,
): Promise<Placed> {
  const { jobId, slot, origin = jobId } = taken
  const { fleet, hostname } = context
  const { placements } = fleet
  const payload = payloadOf(taken)
  const claimed = () => placements.claim(origin, slot, hostname, jobId, { payload, reason: whyHere(taken) })
  let claim: Claim = await claimed()
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
        claim = await placements.reclaim(origin, slot, hostname, decision.was, jobId, {
          payload,
          reason: { reason: 'taken-over', why: `${decision.was.hostname}, which had it, has lost its lease` },
        })
        break
      case 'wait':
      case 'claim':
        // The holder may renew, or give the slot up, at any moment.
        if (decision.do === 'wait') await wait(lookAgainMs, undefined, { signal }).catch(() => {})
        claim = await claimed()
    }
  }
}

function whyHere({ dock, sealed, from }: Taken): Reason {
  if (dock !== anyDock) {
    const isSealed = sealed !== undefined
    return isSealed
      ? { reason: 'sealed', why: 'its secrets are sealed to this dock' }
      : { reason: 'named', why: 'the job names this dock' }
  }
  return from === clusterTopic
    ? { reason: 'free', why: 'it was free, and the first to take it' }
    : { reason: 'dealt', why: 'the slots were dealt in turn over the docks that were ready' }
}

async function livenessOf(holder: string, context: PlaceContext): Promise<Liveness> {
  if (await context.fleet.docks.isLeased(holder)) return 'alive'
  return (context.graceMs?.() ?? 0) > 0 ? 'unknown' : 'dead'
}
