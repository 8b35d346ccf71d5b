import type { RunningProcess } from '../support/processes'
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

/** A process that faults hit. */
export interface Victim {
  process(): RunningProcess | undefined
  /** Keeps others from starting it when it ends. */
  hold?(): void
  /** However it stands: afterwards it runs, thawed, and others may start it again. */
  mend(): Promise<void>
}

/** What is done to a process: tells in words how it was hit, or nothing where it was not. */
type Blow = (process: RunningProcess) => Promise<string | undefined>

/** kill -9 */
export const kill: Blow = async (process) => {
  const { signal } = await process.kill()
  return signal === 'SIGKILL' ? 'ended by SIGKILL' : undefined
}

/** SIGSTOP */
export const freeze: Blow = async (process) => {
  const standsStill = await process.pause().then(
    () => process.running,
    () => false,
  )
  return standsStill ? 'all its threads stand still' : undefined
}

/** SIGTERM of one of Deblox's own, which end in time whatever is the matter. */
export const terminate: Blow = async (process) => {
  const { code } = await process.stop(15_000)
  return `ended with exit code ${code}`
}

/** SIGTERM of somebody else's, who does not always end well. */
export const stop: Blow = async (process) => {
  const exit = await process.stop(20_000).catch(() => undefined)
  return exit?.code === 0 ? 'ended with exit code 0' : undefined
}

interface Hit extends Omit<Kind, 'inject'> {
  blow: Blow
  victim: (scene: Scene) => Victim
}

/** A kind of fault that hits a process, which is mended afterwards. */
export const hits = ({ blow, victim: victimOf, ...kind }: Hit): Kind => ({
  ...kind,
  async inject(scene) {
    const victim = victimOf(scene)
    return { proof: done(await hit(victim, blow)), heal: () => victim.mend() }
  },
})

/** So often it is tried to hit a process that ends by itself just then, as it may through another fault. */
const tries = 4

async function hit(victim: Victim, blow: Blow): Promise<string> {
  for (let tried = 0; tried < tries; tried++) {
    victim.hold?.()
    const process = victim.process()
    const words = process?.running ? await blow(process) : undefined
    if (words !== undefined) return words
    await victim.mend()
  }
  throw new Error(`expected a process that runs, but ${tries} times it ended by itself when it was to be hit`)
}
