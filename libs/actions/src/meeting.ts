/** For which slot, and under which claim to it, a container was made: by its labels, or by what is to be made. */
export interface MadeFor {
  job: string
  slot: number
  epoch: number
}

/** What a create does about a container that already has its name. */
type Meeting = 'adopt' | 'replace' | 'stand-back' | 'conflict'

/**
 * By the labels of what has the name: `adopt` what an earlier try under this very claim made; `replace` what is left of an
 * earlier epoch (it may be under removal already, by somebody who saw it superseded); `stand-back` from a later one;
 * anything else is another's, and a `conflict`.
 */
export function meet(found: MadeFor, { job, slot, epoch }: MadeFor): Meeting {
  if (found.job !== job || found.slot !== slot || Number.isNaN(found.epoch)) return 'conflict'
  if (found.epoch === epoch) return 'adopt'
  return found.epoch < epoch ? 'replace' : 'stand-back'
}
