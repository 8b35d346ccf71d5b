/** Where a (job, slot) was placed; the epoch counts how often that had to be decided anew. One given up names no dock. */
export interface Placement {
  hostname: string
  epoch: number
}

/** The claim that holds, as a dock is told of it; `ended`: the slot has an outcome, and nobody may begin it again. */
export interface Claim extends Placement {
  ended?: true
}

/** What the fleet has recorded of one (job, slot). */
export interface SlotState {
  claim: Placement | null
  ended: boolean
}

/** What is done to a claim. Each is one script in placement.ts, so that no two docks can come between one another. */
export type ClaimCommand =
  | { do: 'claim'; hostname: string }
  | { do: 'reclaim'; hostname: string; was: Placement }
  | { do: 'release'; hostname: string; epoch: number }
  | { do: 'revoke' }

/** Whether a worker acts for a dock. `unknown`: it does not renew its lease, but cannot be blamed for that. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** What a dock does next about a slot that it has taken from a topic. */
type Decision =
  { do: 'claim' | 'wait' | 'end' } | { do: 'act' | 'forward'; to: Placement } | { do: 'reclaim'; was: Placement }

/** No dock: whose claim was given up or taken away. */
export const nobody = ''

/** What one command makes of a slot's record. */
export function change(state: SlotState, command: ClaimCommand): SlotState {
  const { claim } = state
  switch (command.do) {
    case 'claim':
      // One atom with the look at the outcome: a slot that ends at this moment must not be placed once more.
      if (state.ended || (claim && claim.hostname !== nobody)) return state
      return { ...state, claim: { hostname: command.hostname, epoch: (claim?.epoch ?? 0) + 1 } }
    case 'reclaim':
      if (state.ended || !isSame(claim, command.was)) return state
      return { ...state, claim: { hostname: command.hostname, epoch: command.was.epoch + 1 } }
    case 'release':
      // Two workers of one dock, one of them frozen, share a claim: what the other has made under it is the slot's by now.
      if (state.ended || !isSame(claim, command)) return state
      return { ...state, claim: { hostname: nobody, epoch: command.epoch } }
    case 'revoke':
      return claim ? { ...state, claim: { hostname: nobody, epoch: claim.epoch } } : state
  }
}

/** The claim as the record tells it to whoever has just changed it, or tried to. */
export function tell({ claim, ended }: SlotState): Claim {
  return { ...(claim ?? { hostname: nobody, epoch: 0 }), ...(ended && { ended }) }
}

/**
 * The record when an outcome is written: null where it may not be, because the slot has ended, or was given to another
 * since it was placed `under` that claim (none: nobody had to be asked). A slot that ends without a container takes the
 * claim with it, so that a create that Docker carries out later belongs to nobody, and is found superseded.
 */
export function settle(state: SlotState, under: Placement | null, made: boolean): SlotState | null {
  if (state.ended || (under && !isSame(state.claim, under))) return null
  return { ...(made ? state : change(state, { do: 'revoke' })), ended: true }
}

/** What the dock does whose worker has taken the slot, by the claim that holds and by what is known of its holder. */
export function decidePlacement(claim: Claim | null, self: string, holder: Liveness): Decision {
  if (claim?.ended) return { do: 'end' }
  if (!claim || claim.hostname === nobody) return { do: 'claim' }
  if (claim.hostname === self) return { do: 'act', to: claim }
  if (holder === 'alive') return { do: 'forward', to: claim }
  return holder === 'dead' ? { do: 'reclaim', was: claim } : { do: 'wait' }
}

const isSame = (claim: Placement | null, other: Placement): boolean =>
  claim?.hostname === other.hostname && claim.epoch === other.epoch
