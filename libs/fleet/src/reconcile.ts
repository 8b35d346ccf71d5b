import type { Placement } from './claim'

/** A container on this dock that was made for one slot of a job, by its labels. */
export interface Slotted {
  id: string
  job: string
  slot: number
  epoch: number
}

/** What was seen on this dock. `complete`: all containers that it has are in it. */
export interface Observed {
  complete: boolean
  containers: readonly Slotted[]
}

/** `superseded`: the slot was given to another dock, or taken away. `replaced`: made here anew, in a later epoch. */
export interface Removal {
  remove: string
  job: string
  slot: number
  why: 'superseded' | 'replaced'
}

/**
 * What must go from this dock. `claims` are those of the containers, in their order, read after the list. Epochs only
 * grow, so that what is found superseded once stays so, however late it is removed: removal goes by id, never by name.
 *
 * Left alone are: everything where the list is not complete; a slot without a claim, which was done with long ago;
 * labels that are not ours to read; and the older of two epochs of which only the older is here.
 */
export function reconcile({ complete, containers }: Observed, claims: readonly (Placement | null)[], self: string) {
  if (!complete) return []
  return containers.flatMap((container, n): Removal[] => {
    const why = reasonAgainst(container, claims[n] ?? null, self, containers)
    return why ? [{ remove: container.id, job: container.job, slot: container.slot, why }] : []
  })
}

/**
 * With the grace of the periodic look: only what was found superseded before, long enough ago, is removed now. The rest
 * is to be remembered until the next look, and with it nothing that was not found this time.
 */
export function reconcileGently(
  observed: Observed,
  claims: readonly (Placement | null)[],
  self: string,
  seenBefore: ReadonlySet<string>,
): { now: Removal[]; remember: Set<string> } {
  const found = reconcile(observed, claims, self)
  return {
    now: found.filter(({ remove }) => seenBefore.has(remove)),
    // A list that is not complete has refuted nothing.
    remember: observed.complete ? new Set(found.map(({ remove }) => remove)) : new Set(seenBefore),
  }
}

function reasonAgainst(
  { job, slot, epoch }: Slotted,
  claim: Placement | null,
  self: string,
  containers: readonly Slotted[],
): Removal['why'] | undefined {
  // An epoch above the claim's means that Redis has forgotten something: the label is the record.
  if (!claim || !(claim.epoch >= epoch)) return undefined
  if (claim.hostname !== self) return 'superseded'
  const isMadeAnew = containers.some((other) => other.job === job && other.slot === slot && other.epoch === claim.epoch)
  return claim.epoch > epoch && isMadeAnew ? 'replaced' : undefined
}
