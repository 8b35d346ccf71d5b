import { labelNames } from '@deblox/actions/made'
import { withDeadline } from '@deblox/actions/deadline'
import { dockerStatus } from '@deblox/actions/docker-status'
import type { Placements } from '@deblox/fleet/placement'
import { type Observed, reconcile, reconcileGently, type Removal, type Slotted } from '@deblox/fleet/reconcile'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import type { Settled } from './settled'

const listMs = 20_000
const removeMs = 30_000

/** What the periodic look finds superseded must be found so again after so long before it is removed, in milliseconds. */
export const graceMs = 5_000

/** Removes from this dock what another dock was given to make, or what nobody is to have any more. */
export class Reaper {
  /** When each container was first found superseded, by the monotonic clock. */
  private readonly firstSeen = new Map<string, number>()
  private secondLook: NodeJS.Timeout | undefined
  private stopped = false

  constructor(
    private readonly docker: Docker,
    private readonly placements: Placements,
    /** What was made here for good: no claim in Redis, which anybody may have written, removes that. */
    private readonly settled: Pick<Settled, 'has' | 'all' | 'forget'>,
    private readonly hostname: string,
    private readonly log: Logger,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Before a dock that was away takes jobs again: at once, since no job of its own can be about these containers. */
  async atReturn(): Promise<void> {
    const observed = await this.observe()
    await this.remove(reconcile(observed, await this.placements.read(observed.containers), this.hostname))
  }

  /** With every full list: what is superseded now and was so `graceMs` ago. Another look follows by itself. */
  async look(): Promise<void> {
    const observed = await this.observe()
    const claims = await this.placements.read(observed.containers)
    const { now, remember } = reconcileGently(observed, claims, this.hostname, this.seenLongAgo())
    for (const id of this.firstSeen.keys()) if (!remember.has(id)) this.firstSeen.delete(id)
    for (const id of remember) if (!this.firstSeen.has(id)) this.firstSeen.set(id, this.now())
    if (remember.size > now.length) this.lookAgain()
    await this.remove(now)
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.secondLook)
  }

  private seenLongAgo(): Set<string> {
    const before = this.now() - graceMs
    return new Set([...this.firstSeen].flatMap(([id, at]) => (at <= before ? id : [])))
  }

  private lookAgain(): void {
    if (this.stopped) return
    this.secondLook ??= setTimeout(() => {
      this.secondLook = undefined
      this.look().catch((error: unknown) =>
        this.log.warn({ err: error }, 'the second look failed; the next list is one'),
      )
    }, graceMs).unref()
  }

  private async observe(): Promise<Observed> {
    const filters = { label: [labelNames.job] }
    // One that is made while the daemon lists may have come after.
    const before = this.settled.all()
    const listed: unknown = await withDeadline(listMs, never, (abortSignal) =>
      this.docker.listContainers({ all: true, filters, abortSignal }),
    )
    // docker-modem passes a body that is cut short on as a Buffer: nothing may be deleted on that account.
    if (!Array.isArray(listed)) throw new Error('expected a list of containers from the daemon, got something else')
    const containers = (listed as Docker.ContainerInfo[]).map(slotted)
    this.settled.forget(gone(before, containers))
    return { complete: true, containers }
  }

  /** All that can be removed is; what could not be, its dock being busy with it perhaps, is told in the end. */
  private async remove(removals: Removal[]): Promise<void> {
    const failures: unknown[] = []
    for (const { remove: id, job, slot, why } of removals) {
      if (this.settled.has(id)) continue
      this.log.warn({ container: id, job, slot, why }, 'this slot is not this container’s any more; it is removed')
      try {
        await withDeadline(removeMs, never, () => this.docker.getContainer(id).remove({ force: true, v: true }))
      } catch (error) {
        if (dockerStatus(error) !== 404) failures.push(error)
      }
    }
    if (failures.length > 0) throw new Error('expected all superseded containers to go', { cause: failures[0] })
  }
}

const never = new AbortController().signal

function gone(ids: readonly string[], there: readonly Slotted[]): string[] {
  const left = new Set(there.map(({ id }) => id))
  return ids.filter((id) => !left.has(id))
}

const slotted = ({ Id, Labels }: Docker.ContainerInfo): Slotted => ({
  id: Id,
  job: Labels[labelNames.job] ?? '',
  slot: Number(Labels[labelNames.slot]),
  epoch: Number(Labels[labelNames.epoch]),
})
