import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import { DebloxError } from '@deblox/actions/errors'
import type { Fleet } from '@deblox/fleet/fleet'
import { times } from '@deblox/fleet/names'
import type { SealKey } from '@deblox/fleet/signing/seal'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { coalesce } from './coalesce'
import { DaemonHealth } from './daemon-health'
import { readEngineFacts } from './engine-facts'
import type { Gate } from './gate'
import type { Lease } from './lease'
import { Membership } from './membership'
import { WorkGates } from './work-gates'

export interface DockEvents {
  /** This worker has (again) the right to act and a daemon that answers, but takes no work before this has ended. */
  onReturned(): Promise<void>
  /** The dock was (again) added to the known docks, or the lease was lost and won back: the index may be off. */
  onRejoined(): void
  /** Another worker acts for this hostname now: this one must end. */
  onReplaced(error: Error): void
}

/** What this machine is known by. */
export interface Machine {
  /** Tells it from another that had its name. */
  identity: string
  seal: SealKey
}

/** This dock's standing in the fleet: its lease, its daemon's health, and whether it may be given work. */
export class Dock {
  private readonly gates = new WorkGates()
  /** Open while this dock may take jobs from its own topic. */
  readonly work = this.gates.own
  /** Open while this dock may take jobs from the cluster topic. */
  readonly clusterWork = this.gates.cluster
  /** Open while the daemon answers. Whoever finds that it cannot be reached shuts it. */
  readonly daemon: Gate
  private registered = false
  /** Whether the fleet has been told what this engine is. */
  private described = false
  private drained = false
  /** How often this worker may have been taken for dead, and up to which time it has seen to what others did then. */
  private absences = 1
  private seenTo = 0
  private returning: Promise<void> | undefined
  private readonly membership: Membership
  private readonly health: DaemonHealth
  private readonly stopping = new AbortController()
  private readonly beatOnce = coalesce(() => this.beat())
  private beating: Promise<void> = Promise.resolve()
  private loops: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly hostname: string,
    private readonly machine: Machine,
    private readonly fleet: Fleet,
    private readonly docker: Docker,
    private readonly lease: Lease,
    private readonly events: DockEvents,
    private readonly log: Logger,
    private readonly monotonic: () => number = () => performance.now(),
  ) {
    this.membership = new Membership(hostname, lease.incarnation, machine.identity, fleet, log, monotonic)
    this.health = new DaemonHealth(docker, log, (healthy) => this.onDaemon(healthy))
    this.daemon = this.health.gate
  }

  /**
   * Takes the lease, registers, and keeps both alive. Throws `lease_lost` where another worker lives, and
   * the signal's reason where it aborts before this has ended: the lease is given back then.
   */
  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const stop = (): void => this.stopping.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await this.join()
    } catch (error) {
      this.stopping.abort(error)
      await this.beating
      if (this.lease.isHeld()) await this.lease.release().catch(() => undefined)
      throw error
    } finally {
      signal.removeEventListener('abort', stop)
    }
    this.health.start(this.stopping.signal)
    this.loops = Promise.all([this.health.ended(), this.beatForEver()])
  }

  /**
   * Whether a new container may be placed here now. The fleet is asked, because the last heartbeat may be older than a
   * drain that its caller has seen acknowledged.
   */
  async mayPlace(): Promise<boolean> {
    if (this.gates.placing && !(await this.fleet.docks.takesContainers(this.hostname))) this.gates.stopPlacing()
    return this.gates.placing
  }

  /**
   * Aborts when the daemon stops answering: it may never answer what it was asked, and whether that took effect is not
   * known then. When the daemon is back there is another signal.
   */
  daemonLost(): AbortSignal {
    return this.health.lost
  }

  /**
   * How long no other dock may be called dead, in milliseconds; 0 mostly. While Redis was away nobody could renew a lease:
   * a missing one says something only when everybody has had the time to.
   */
  graceMs(): number {
    return this.membership.graceMs
  }

  /**
   * Since when the host name stands for this machine, by Redis's clock; 0 where no other is known to have had it. A job on
   * this dock's topic that was accepted before was meant for that other machine.
   */
  actsSince(): number {
    return this.membership.since
  }

  /** Takes no more work; what is being done goes on under the lease. */
  drain(): void {
    this.stopping.abort(new Error('the worker stops'))
    this.gates.shut()
  }

  /** Gives the lease back. */
  async leave(): Promise<void> {
    await this.loops
    await this.beating
    await this.returning
    await this.lease.release()
  }

  private async join(): Promise<void> {
    const { signal } = this.stopping
    signal.throwIfAborted()
    const acquired = await this.lease.acquire((ms) => wait(ms, undefined, { signal }))
    if (!acquired) throw replaced(this.hostname)
    const { membership, health } = this
    for (const step of [() => membership.begin(), () => membership.register(), () => health.check(), this.beatOnce]) {
      signal.throwIfAborted()
      await step()
    }
    signal.throwIfAborted()
  }

  private onDaemon(healthy: boolean): void {
    // Another version may answer than before.
    this.described = false
    if (!healthy) this.gates.shut()
    // The fleet is told at once, not with the next heartbeat.
    if (!this.stopping.signal.aborted) this.beating = this.tryBeat()
  }

  private async beat(): Promise<void> {
    const sent = this.monotonic()
    const heartbeat = await this.lease.renew(this.daemon.isOpen() ? 'ok' : 'unhealthy')
    const { held, registered, known, drain, redisMs, epoch } = heartbeat
    this.membership.heard(redisMs, sent)
    if (!held) return this.reclaimLease()
    if (epoch !== null) await this.membership.adopt(epoch)
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
    const mayAct = !this.stopping.signal.aborted && this.lease.isHeld()
    const works = mayAct && this.daemon.isOpen() && this.seenTo === this.absences
    return works && (!placed || (this.registered && !this.drained))
  }

  private openGates(onlyOne = false): void {
    this.gates.set({ own: this.mayWork(false), placing: this.mayWork(true), onlyOne })
  }

  /** With no dock ready somebody must still take `register`, or the fleet could never have a first dock. */
  private async nobodyIsReady(): Promise<boolean> {
    if (this.stopping.signal.aborted) return false
    return this.fleet.docks.noneIsReady()
  }

  private async reclaimLease(): Promise<void> {
    this.gates.shut()
    // One that stops has no use for it, and would leave it behind.
    if (this.stopping.signal.aborted) return
    const { acquired } = await this.fleet.docks.acquireLease(this.hostname, this.lease.incarnation)
    if (!acquired) return this.events.onReplaced(replaced(this.hostname))
    this.log.warn('the lease had run out; it was free and is taken again')
    this.registered = false
    this.absences++
    await this.membership.beginAgain()
    return this.beat()
  }

  private async describe(): Promise<void> {
    const facts = await withDeadline(times.heartbeat, this.stopping.signal, () => readEngineFacts(this.docker))
    this.described = await this.fleet.docks.describe(this.hostname, facts, this.machine.seal)
  }

  private async beatForEver(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      await wait(this.registered ? times.heartbeat : times.heartbeat / 8, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await this.tryBeat()
    }
  }

  private tryBeat(): Promise<void> {
    return this.beatOnce().catch((error: unknown) => this.log.warn({ err: error }, 'heartbeat failed; trying again'))
  }
}

const replaced = (hostname: string): DebloxError =>
  new DebloxError(
    'lease_lost',
    `DOCK_HOSTNAME: expected a name that no other worker uses, got ${hostname}, for which another worker lives`,
  )
