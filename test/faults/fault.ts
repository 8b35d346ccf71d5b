import type { Load } from './load'
import type { Machine } from './machine'
import type { Random } from './random'
import type { History } from './history'
import type { Site } from './site'

/** What a fault may use: all numbers come from the seed. */
export interface Scene {
  site: Site
  load: Load
  history: History
  random: Random
  /** The one that is hit: a dock, a replica, or `redis`. */
  target: string
}

/** A fault that is on. */
export interface Struck {
  /** What shows that it has happened, in words; nothing while it has not. */
  proof(): Promise<string | undefined> | string | undefined
  heal(): Promise<void>
}

/** One kind of fault. */
export interface Kind {
  name: string
  /** Who can be hit. */
  targets: readonly string[]
  /** What it has in hand while it is on: nothing else happens to that at the same time. */
  lanes(target: string): string[]
  /** How long it lasts, in seconds. */
  holds: number
  /** How long its lanes are taken, in seconds, about; for the schedule alone. */
  takes: number
  /** Too long for the short campaign. */
  longOnly?: true
  inject(scene: Scene): Promise<Struck>
}

export const docks = ['dock1', 'dock2', 'dock3']
export const replicas = ['api1', 'api2']

/** Longer than a lock and a lease last, which are ten seconds each. */
export const beyondLease = 13

export const workerLane = (dock: string): string[] => [`worker of ${dock}`]
export const engineLane = (dock: string): string[] => [`engine of ${dock}`]

export const machineOf = ({ site, target }: Scene): Machine => site.machine(target)

/** The proof of what is done when it has been asked for. */
export const done =
  (words: string): Struck['proof'] =>
  () =>
    words
