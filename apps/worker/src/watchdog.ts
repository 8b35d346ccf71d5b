/** What the watchdog sees of one topic. Times are of the monotonic clock, in milliseconds. */
export interface Consumption {
  now: number
  /** Since when this worker could take a job from it: its gate is open, and it has room. Null while it could not. */
  couldTakeSince: number | null
  /** When it took one last, or began to listen. */
  tookAt: number
  /** For how long the oldest job that waits there has waited; null where none does. */
  oldestWaits: number | null
}

/** A job that can be taken is taken within milliseconds: after so long nobody listens any more. */
export const silenceMs = 15_000

/** `rebuild` the connections once, and if that does not help, `end`: whoever keeps this process running starts another. */
type Verdict = 'fine' | 'rebuild' | 'end'

/**
 * Watches that jobs are taken, not that a worker says that it runs: BullMQ has stopped taking jobs in silence before. It
 * decides on what it is shown, and asks nothing.
 */
export class Watchdog {
  private rebuiltAt: number | undefined

  look({ now, couldTakeSince, tookAt, oldestWaits }: Consumption): Verdict {
    const quietSince = Math.max(couldTakeSince ?? now, tookAt, this.rebuiltAt ?? -Infinity)
    if (this.rebuiltAt !== undefined && tookAt > this.rebuiltAt) this.rebuiltAt = undefined
    if (oldestWaits === null || oldestWaits < silenceMs || now - quietSince < silenceMs) return 'fine'
    if (this.rebuiltAt !== undefined) return 'end'
    this.rebuiltAt = now
    return 'rebuild'
  }
}
