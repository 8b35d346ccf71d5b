import { performance } from 'node:perf_hooks'

/** How far two clocks may drift apart while nothing is heard, as a share of the time that passes. */
const drift = 0.001

/** In milliseconds: what must be added to the monotonic clock to have Redis's time lies between these two. */
interface Bounds {
  low: number
  high: number
  /** When they were found, by the monotonic clock. */
  at: number
}

/**
 * Redis's time without asking for it. It is heard now and then, and carried on by the monotonic clock in between: this
 * machine's own date may be wrong, and may jump.
 */
export class FleetClock {
  private bounds: Bounds | undefined

  constructor(
    private readonly monotonic: () => number = () => performance.now(),
    private readonly date: () => number = () => Date.now(),
  ) {}

  /**
   * Redis said `redisMs` to a question that was sent and answered at these times of the monotonic clock. Somewhere in
   * between it was so late; what earlier answers said narrows that down, unless Redis's own clock was set since.
   */
  observe(redisMs: number, sentAtMonotonic: number, receivedAtMonotonic: number): void {
    const heard = { low: redisMs - receivedAtMonotonic, high: redisMs - sentAtMonotonic, at: receivedAtMonotonic }
    this.bounds = narrowed(this.bounds, heard) ?? heard
  }

  /** Milliseconds since 1970 by Redis's clock; by this machine's before anything was heard of it. */
  now(): number {
    if (!this.bounds) return this.date()
    return Math.round(this.monotonic() + (this.bounds.low + this.bounds.high) / 2)
  }

  /** How far this machine's date is ahead of Redis's, in milliseconds; 0 before anything was heard. */
  aheadMs(): number {
    return this.date() - this.now()
  }
}

function narrowed(before: Bounds | undefined, { low, high, at }: Bounds): Bounds | undefined {
  if (!before) return undefined
  const slack = drift * Math.abs(at - before.at)
  const both = { low: Math.max(low, before.low - slack), high: Math.min(high, before.high + slack), at }
  return both.low <= both.high ? both : undefined
}
