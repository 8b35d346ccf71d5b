import type { Fleet } from '@deblox/fleet/fleet'
import { times } from '@deblox/fleet/names'
import type { Logger } from 'pino'
import { Grace } from './grace'

/** A date that is further from Redis's than this is worth a warning, in milliseconds. */
const clockOffMs = 5_000

/** What this dock tells Redis of itself beside its heartbeats, and what it learns of Redis by them. */
export class Membership {
  private readonly grace = new Grace()
  /** Of what Redis holds; unknown before the first heartbeat. */
  private epoch: string | undefined
  private sinceMs = 0
  private clockWarned = false

  constructor(
    private readonly hostname: string,
    private readonly incarnation: string,
    /** Tells this machine from another that had its name; null where that cannot be told. */
    private readonly identity: string,
    private readonly fleet: Fleet,
    private readonly log: Logger,
    private readonly monotonic: () => number,
  ) {}

  /** Since when the host name stands for this machine, by Redis's clock; 0 where no other is known to have had it. */
  get since(): number {
    return this.sinceMs
  }

  /** How long no other dock may be called dead, in milliseconds. */
  get graceMs(): number {
    return this.grace.leftMs(this.monotonic())
  }

  /** To be called when the lease is taken, and before any work is: others may have had the name, or lost their leases. */
  async begin(): Promise<void> {
    await this.identify()
    this.grace.renew(this.monotonic(), times.lease - (await this.fleet.docks.redisUptimeMs()))
  }

  /** To be called when the lease was lost and is taken again. */
  async beginAgain(): Promise<void> {
    this.grace.renew(this.monotonic())
    await this.identify()
  }

  /** Redis has answered a heartbeat that was sent then, by the monotonic clock. */
  heard(redisMs: number, sent: number): void {
    const now = this.monotonic()
    this.fleet.clock.observe(redisMs, sent, now)
    this.grace.heard(now)
    const aheadMs = this.fleet.clock.aheadMs()
    if (this.clockWarned || Math.abs(aheadMs) <= clockOffMs) return
    this.clockWarned = true
    this.log.warn({ aheadMs }, 'this machine’s date is not that of Redis; deadlines go by the date of Redis')
  }

  /** Adds this dock to the known ones: by itself, since a worker cannot sign a job that would. */
  async register(): Promise<void> {
    await this.fleet.docks.register(this.hostname, this.fleet.clock.now())
  }

  /**
   * Takes note of how old that is what Redis holds. Where it is not what it held at the last heartbeat, the dock is told of
   * anew: whatever the fleet knew of it is gone, while its daemon has all that it had.
   */
  async adopt(epoch: string): Promise<void> {
    if (this.epoch !== undefined && this.epoch !== epoch) {
      this.log.error(
        { epoch },
        'Redis has lost its data, or is another one: earlier jobs are gone, docks register anew',
      )
      await this.identify()
      await this.register()
    }
    this.epoch = epoch
  }

  private async identify(): Promise<void> {
    const sent = this.monotonic()
    const found = await this.fleet.docks.identify(this.hostname, this.incarnation, this.identity)
    // Without the lease the next heartbeat decides, and this comes again.
    if (!found) return
    this.fleet.clock.observe(found.redisMs, sent, this.monotonic())
    this.sinceMs = found.since
  }
}
