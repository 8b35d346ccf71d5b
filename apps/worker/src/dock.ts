import { setTimeout as wait } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import type { EngineFacts } from '@deblox/fleet/docks'
import type { Fleet } from '@deblox/fleet/fleet'
import { newJobId } from '@deblox/fleet/job'
import { clusterTopic, times } from '@deblox/fleet/names'
import { readyDocks } from '@deblox/fleet/placement'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { withDeadline } from '@deblox/actions/deadline'
import { troubleOf } from './docker'
import { Gate } from './gate'
import type { Lease } from './lease'

export interface DockEvents {
  /** This worker has (again) the right to act and a daemon that answers, but takes no work before this has ended. */
  onReturned(): Promise<void>
  /** The dock was (again) added to the known docks, or the lease was lost and won back: the index may be off. */
  onRejoined(): void
  /** Another worker acts for this hostname now: this one must end. */
  onReplaced(error: Error): void
}

/** This dock's standing in the fleet: its lease, its daemon's health, and whether it may be given work. */
export class Dock {
  /** Open while the daemon answers. */
  readonly daemon = new Gate()
  /** Open while this dock may take jobs from its own topic. */
  readonly work = new Gate()
  /** Open while this dock may take jobs from the cluster topic. */
  readonly clusterWork = new Gate()
  /** Whether new containers might be placed here at the last heartbeat. */
  private eligible = false
  private registered = false
  /** Whether the fleet has been told what this engine is. */
  private described = false
  private drained = false
  /** How often this worker may have been taken for dead, and up to which time it has seen to what others did then. */
  private absences = 1
  private seenTo = 0
  private returning: Promise<void> | undefined
  /** What the last check found; unknown before the first. */
  private daemonAnswered: boolean | undefined
  private readonly stopping = new AbortController()
  private loops: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly hostname: string,
    private readonly fleet: Fleet,
    private readonly docker: Docker,
    private readonly lease: Lease,
    private readonly events: DockEvents,
    private readonly log: Logger,
  ) {}

  /** Takes the lease, publishes `register`, and keeps both alive. Throws `lease_lost` where another worker lives. */
  async start(): Promise<void> {
    const acquired = await this.lease.acquire((ms) => wait(ms, undefined, { signal: this.stopping.signal }))
    if (!acquired) throw this.replaced()
    await this.publishRegister()
    await this.checkDaemon()
    await this.beat()
    this.loops = Promise.all([
      // A daemon that is away is asked more often, so that its work goes on soon after it is back.
      this.forEver(
        () => this.checkDaemon(),
        () => (this.daemon.isOpen() ? times.heartbeat : times.heartbeat / 8),
      ),
      this.forEver(
        () => this.beat(),
        () => (this.registered ? times.heartbeat : times.heartbeat / 8),
      ),
    ])
  }

  /**
   * Whether a new container may be placed here now. The fleet is asked, because the last heartbeat may be older than a
   * drain that its caller has seen acknowledged.
   */
  async mayPlace(): Promise<boolean> {
    if (this.eligible && !(await this.fleet.docks.takesContainers(this.hostname))) {
      this.eligible = false
      this.clusterWork.set(false)
    }
    return this.eligible
  }

  /** Takes no more work; what is being done goes on under the lease. */
  drain(): void {
    this.stopping.abort(new Error('the worker stops'))
    this.shutGates()
  }

  /** Gives the lease back. */
  async leave(): Promise<void> {
    await this.loops
    await this.returning
    await this.lease.release()
  }

  private async publishRegister(): Promise<void> {
    const id = newJobId()
    const replyTo = this.fleet.keys.replies(`worker-${this.hostname}`)
    const actor = `worker:${this.hostname}`
    const record = { id, action: 'register', params: { hostname: this.hostname }, actor, owner: actor, replyTo }
    await this.fleet.jobs.accept({
      record: { ...record, numbered: false, acceptedAt: Date.now(), topics: [clusterTopic] },
    })
  }

  private async checkDaemon(): Promise<void> {
    const trouble = await troubleOf(this.docker)
    const healthy = trouble === undefined
    if (healthy === this.daemonAnswered && healthy === this.daemon.isOpen()) return
    this.daemonAnswered = healthy
    if (healthy) this.log.info('the daemon answers')
    else this.log.warn({ err: trouble }, 'the daemon does not answer; no work is taken until it does')
    this.daemon.set(healthy)
    // Another version may answer than before.
    this.described = false
  }

  private async beat(): Promise<void> {
    const { held, registered, known, drain } = await this.lease.renew(this.daemon.isOpen() ? 'ok' : 'unhealthy')
    if (!held) return this.reclaimLease()
    // It may have been unregistered and registered again since the last heartbeat.
    const joined = registered && !(this.registered && known)
    this.registered = registered
    this.drained = drain
    const healthy = this.daemon.isOpen()
    if (healthy && this.seenTo < this.absences) this.returning ??= this.comeBack()
    const onlyOne = !this.mayWork(true) && (await this.nobodyIsReady())
    this.openGates(onlyOne)
    if (joined) {
      this.described = false
      this.events.onRejoined()
    }
    if (registered && healthy && !this.described) await this.describe()
  }

  /** Beside the heartbeats, which must not wait for it. */
  private async comeBack(): Promise<void> {
    const absence = this.absences
    try {
      await this.events.onReturned()
      this.seenTo = absence
      this.openGates()
    } catch (error) {
      this.log.warn({ err: error }, 'what others did meanwhile could not be seen to; trying again')
    } finally {
      this.returning = undefined
    }
  }

  /** Whether this dock may take jobs from its own topic, or, with `placed`, have new containers placed here. */
  private mayWork(placed: boolean): boolean {
    const works = !this.stopping.signal.aborted && this.daemon.isOpen() && this.seenTo === this.absences
    return works && (!placed || (this.registered && !this.drained))
  }

  /** `onlyOne`: nobody else would take from the cluster topic what needs no daemon. */
  private openGates(onlyOne = false): void {
    this.eligible = this.mayWork(true)
    this.work.set(this.mayWork(false))
    this.clusterWork.set(this.eligible || onlyOne)
  }

  private shutGates(): void {
    this.eligible = false
    this.work.set(false)
    this.clusterWork.set(false)
  }

  /** With no dock ready somebody must still take `register`, or the fleet could never have a first dock. */
  private async nobodyIsReady(): Promise<boolean> {
    if (this.stopping.signal.aborted) return false
    return readyDocks(await this.fleet.docks.list()).length === 0
  }

  private async reclaimLease(): Promise<void> {
    this.shutGates()
    const { acquired } = await this.fleet.docks.acquireLease(this.hostname, this.lease.incarnation)
    if (!acquired) return this.events.onReplaced(this.replaced())
    this.log.warn('the lease had run out; it was free and is taken again')
    this.registered = false
    this.absences++
    return this.beat()
  }

  private async describe(): Promise<void> {
    const read = () => readEngineFacts(this.docker)
    const facts = await withDeadline(times.heartbeat, this.stopping.signal, read)
    this.described = await this.fleet.docks.describe(this.hostname, facts)
  }

  private async forEver(round: () => Promise<void>, pauseMs: () => number): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      await wait(pauseMs(), undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      await round().catch((error: unknown) => this.log.warn({ err: error }, 'heartbeat failed; trying again'))
    }
  }

  private replaced(): DebloxError {
    return new DebloxError(
      'lease_lost',
      `DOCK_HOSTNAME: expected a name that no other worker uses, got ${this.hostname}, for which another worker lives`,
    )
  }
}

async function readEngineFacts(docker: Docker): Promise<EngineFacts> {
  const [info, version] = (await Promise.all([docker.info(), docker.version()])) as [
    { NCPU: number; MemTotal: number; OperatingSystem: string },
    { Version: string; ApiVersion: string },
  ]
  return {
    engineVersion: version.Version,
    apiVersion: version.ApiVersion,
    os: info.OperatingSystem,
    cpus: info.NCPU,
    memory: info.MemTotal,
  }
}
