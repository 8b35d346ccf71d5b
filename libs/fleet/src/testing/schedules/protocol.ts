import { change, decidePlacement, settle, tell } from '../../claim'
import { meet } from '@deblox/actions/meeting'
import { reconcile, reconcileGently } from '../../reconcile'

/** The decisions that the model runs, and those habits of the worker on which they rely: all can be replaced by a wrong one. */
export interface Protocol {
  change: typeof change
  tell: typeof tell
  settle: typeof settle
  decidePlacement: typeof decidePlacement
  reconcile: typeof reconcile
  reconcileGently: typeof reconcileGently
  meet: typeof meet
  /** Whether a write is sent to the daemon only under the lease. */
  checksLease: boolean
  /** Whether an outcome is refused while another worker has the dock's lease. */
  yieldsToSuccessor: boolean
  /** Whether copies of one slot have their turns one after the other within a worker. */
  takesTurns: boolean
  /** What a removal names: an id is one container's for ever, a name is whoever has it then. */
  removesBy: 'id' | 'name'
  /** What becomes of a copy whose outcome was refused. */
  afterRefusal: 'claim' | 'complete'
  /** The id under which a slot is put on the claimant's topic, where an older copy may be kept under its own. */
  forwardId(slot: string, hop: number): string
}

export const protocol: Protocol = {
  change,
  tell,
  settle,
  decidePlacement,
  reconcile,
  reconcileGently,
  meet,
  checksLease: true,
  yieldsToSuccessor: true,
  takesTurns: true,
  removesBy: 'id',
  afterRefusal: 'claim',
  forwardId: (slot, hop) => `${slot}.${hop}`,
}

/** Wrong ways, each of which the model must find out. The first ones are what was done before the model was written. */
export const wrongWays: Record<string, Partial<Protocol>> = {
  'an outcome is recorded under a claim that was taken over': {
    settle: (state, _, made) => settle(state, null, made),
  },
  'a copy whose outcome was refused counts as done': { afterRefusal: 'complete' },
  'a slot that ends without a container keeps its claim': { settle: (state, under) => settle(state, under, true) },
  'a slot that has ended is begun again': {
    change: (state, command) => ({ ...change({ ...state, ended: false }, command), ended: state.ended }),
    tell: ({ claim }) => tell({ claim, ended: false }),
  },
  'a slot is handed on under an id that an older copy may have': { forwardId: (slot) => slot },
  'what an earlier epoch left is adopted': {
    meet: (found, wanted) => (meet(found, wanted) === 'replace' ? 'adopt' : meet(found, wanted)),
  },
  'a removal goes by the name': { removesBy: 'name' },
  'what has the name is adopted whatever its labels say': { meet: () => 'adopt' },
  'the claim of another is not heeded': {
    decidePlacement: (claim, self, holder) =>
      claim && !claim.ended ? { do: 'act', to: { ...claim, hostname: self } } : decidePlacement(claim, self, holder),
  },
  'a living dock’s slot is taken over': {
    decidePlacement: (claim, self) => decidePlacement(claim, self, 'dead'),
    settle: (state, _, made) => settle(state, null, made),
  },
  'who cannot be known to live is called dead': {
    decidePlacement: (claim, self, holder) => decidePlacement(claim, self, holder === 'unknown' ? 'dead' : holder),
  },
  'a claim is taken over in the same epoch': {
    change: (state, command) =>
      command.do === 'reclaim'
        ? { ...change(state, command), claim: { hostname: command.hostname, epoch: command.was.epoch } }
        : change(state, command),
  },
  'a claim that was given up keeps its epoch for the next': {
    change: (state, command) =>
      command.do === 'claim' && !state.ended && state.claim?.hostname === ''
        ? { ...state, claim: { hostname: command.hostname, epoch: state.claim.epoch } }
        : change(state, command),
  },
  'the claim of a slot that has ended is given up': {
    change: (state, command) =>
      command.do === 'release'
        ? { ...change({ ...state, ended: false }, command), ended: state.ended }
        : change(state, command),
  },
  'nothing is ever removed': { reconcile: () => [], reconcileGently: () => ({ now: [], remember: new Set() }) },
  'epochs are not looked at': {
    reconcile: (observed, claims, self) =>
      reconcile({ ...observed, containers: observed.containers.map((c) => ({ ...c, epoch: 0 })) }, claims, self),
    reconcileGently: (observed, claims, self, seen) =>
      reconcileGently(
        { ...observed, containers: observed.containers.map((c) => ({ ...c, epoch: Infinity })) },
        claims,
        self,
        seen,
      ),
  },
  'two copies of a slot are worked on at once': { takesTurns: false },
  'the lease is not checked': { checksLease: false },
  'an outcome is recorded though another worker has the dock’s lease': { yieldsToSuccessor: false },
}
