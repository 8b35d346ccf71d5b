import type { Claim, Placement, SlotState } from '../../claim'
import type { Observed, Removal } from '../../reconcile'
import type { Protocol } from './protocol'

/** A container on a modelled engine. `job` is empty where it is not Deblox's. */
export interface Container {
  id: string
  name: string
  job: string
  slot: number
  epoch: number
  started: boolean
}

/** `unknown`: an answer that does not tell, or none in time. */
export type Reply = 'ok' | 'exists' | 'gone' | 'unknown'

/** What was sent to an engine and has not been carried out: that may happen as late as it likes. */
export interface Request {
  what: 'create' | 'start' | 'remove'
  /** The id, or for a create the name. */
  of: string
  labels: Pick<Container, 'job' | 'slot' | 'epoch'>
  answer: (reply: Reply, id?: string) => void
}

/** One copy of a slot on one topic. A finished one is kept, and its id stays taken. */
export interface Entry {
  id: string
  slot: Slot
  state: 'waiting' | 'active' | 'done'
  /** Who has taken it: a lock that was lost has another. */
  token: number
}

export type Phase =
  | 'claim'
  | 'decide'
  | 'reclaim'
  | 'create'
  | 'inspect'
  | 'replace'
  | 'start'
  | 'finish'
  | 'undo'
  | 'complete'
  | 'over'
  | 'no-lease'

/** A worker's work on one entry. */
export interface Run {
  entry: Entry
  token: number
  phase: Phase
  claim: Claim | null
  under: Placement
  container: string
  failed: boolean
  /** Whether it has sent anything to the daemon. */
  sent: boolean
  /** The period of the lease under which it goes on. */
  period: number
  /** The request whose reply it waits for. */
  waiting: Request | null
  reply: Reply | null
}

/** A look of the reaper: list, then claims, then removals. */
export interface Look {
  atReturn: boolean
  observed: Observed | null
  judged: boolean
  removals: Removal[]
  pending: number
}

/** One incarnation of a dock's worker. */
export interface Process {
  dock: Dock
  incarnation: number
  frozen: boolean
  /** Counts the times that the lease was won. */
  period: number
  /** The period for which it has seen to what others did meanwhile. */
  seenTo: number
  runs: Run[]
  look: Look | null
  remembered: Set<string>
}

export interface Dock {
  hostname: string
  /** The incarnation that holds the lease by Redis, 0 if none. */
  lease: number
  containers: Container[]
  requests: Request[]
  processes: Process[]
  topic: Entry[]
}

export interface Slot {
  key: string
  job: string
  slot: number
  name: string
  accepted: boolean
  /** The dock's number, or null for the cluster topic. */
  pinned: number | null
  state: SlotState
  /** How often it was handed on to a dock's topic. */
  hops: number
  outcomes: { state: 'completed' | 'failed' | 'cancelled'; dock: string; container: string }[]
  /** Cancelled or rolled back: nothing of it may be left. */
  unwanted: boolean
  /** Somebody removed a container of it behind the worker's back; `after` its slot had ended. */
  removed: 'no' | 'before' | 'after'
}

export interface World {
  protocol: Protocol
  docks: Dock[]
  cluster: Entry[]
  slots: Slot[]
  redisAway: boolean
  /** After an outage: whoever has not renewed yet cannot be called dead. */
  grace: boolean
  counter: number
  violations: string[]
  trace: string[]
}

export function newWorld(protocol: Protocol, docks: number): World {
  const slots = [
    newSlot('single', 1, 'web', null),
    ...[1, 2, 3].map((slot) => newSlot('several', slot, `several-${slot}`, (slot - 1) % docks)),
    // Another job whose caller asks for the first one's name.
    newSlot('rival', 1, 'web', null),
  ]
  const world: World = {
    protocol,
    docks: Array.from({ length: docks }, (_, n) => newDock(`dock-${n + 1}`)),
    cluster: [],
    slots,
    redisAway: false,
    grace: false,
    counter: 0,
    violations: [],
    trace: [],
  }
  accept(world, slots[0] as Slot)
  return world
}

const newDock = (hostname: string): Dock => ({
  hostname,
  lease: 0,
  containers: [],
  requests: [],
  processes: [],
  topic: [],
})

const newSlot = (job: string, slot: number, name: string, pinned: number | null): Slot => ({
  key: `${job}.${slot}`,
  job,
  slot,
  name,
  accepted: false,
  pinned,
  state: { claim: null, ended: false },
  hops: 0,
  outcomes: [],
  unwanted: false,
  removed: 'no',
})

export function accept(world: World, slot: Slot): void {
  slot.accepted = true
  const topic = slot.pinned === null ? world.cluster : (world.docks[slot.pinned] as Dock).topic
  add(topic, slot.key, slot)
}

/** At least once: an id that is there already, finished or not, is not added again. */
export function add(topic: Entry[], id: string, slot: Slot): void {
  if (!topic.some((entry) => entry.id === id)) topic.push({ id, slot, state: 'waiting', token: 0 })
}

export const holdsLease = ({ dock, incarnation }: Process): boolean => dock.lease === incarnation

export const isOf = (container: Container, { job, slot }: Pick<Container, 'job' | 'slot'>): boolean =>
  container.job === job && container.slot === slot
