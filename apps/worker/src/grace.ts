import { times } from '@deblox/fleet/names'

/** A silence this long may have cost others their leases: they renew as rarely as this worker does. */
const longSilence = times.lease / 2

/**
 * How long nobody may be called dead. When Redis was away or frozen, or this worker was cut off, the others could not renew
 * their leases either, or it cannot be known whether they could: after the return each gets the time of a lease to do so.
 * Times are of the monotonic clock, in milliseconds.
 */
export class Grace {
  private heardAt = -Infinity
  private until = -Infinity

  /** Redis has answered a heartbeat. */
  heard(now: number): void {
    if (this.heardAt !== -Infinity && this.isSilent(now)) this.renew(now)
    this.heardAt = now
  }

  /** Leases were lost by no fault of their holders: as when this one was, or when Redis itself is new. */
  renew(now: number, ms: number = times.lease): void {
    this.until = Math.max(this.until, now + ms)
  }

  /** What is left of it, in milliseconds. While the silence lasts, it has not even begun. */
  leftMs(now: number): number {
    if (this.isSilent(now)) return times.lease
    return Math.max(0, Math.ceil(this.until - now))
  }

  private isSilent(now: number): boolean {
    return now - this.heardAt > longSilence
  }
}
