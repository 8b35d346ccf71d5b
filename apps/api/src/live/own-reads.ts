import type { FleetKeys } from '@deblox/fleet/names'
import { connectRedis, type RedisClient } from '@deblox/fleet/redis'
import { type StateReads, stateReadsOf } from '@deblox/fleet/state-reads'

/** A connection is given twice as long each time that it was renewed in vain, and so often at the most. */
const mostDoublings = 4

/** Reads on a connection of its own: each waits as long as it takes, and what is asked first is answered first. */
export class OwnReads {
  readonly reads: StateReads
  private readonly redis: RedisClient
  private unanswered = 0
  /** Since when nothing was answered of what was asked, by the monotonic clock. */
  private silentSince = 0
  private doublings = 0

  constructor(url: string, keys: FleetKeys, onError: (error: unknown) => void) {
    this.redis = connectRedis(url, 'patient')
    this.redis.on('error', onError)
    const reads = Object.entries(stateReadsOf(this.redis, keys) as Record<string, Read>)
    this.reads = Object.fromEntries(
      reads.map(([name, read]) => [name, (...args: never[]) => this.heard(read(...args))]),
    ) as StateReads
  }

  /**
   * Connects again where nothing was answered for so long, in milliseconds: a connection that was cut without a word would be waited
   * for until the machine's own patience ends. What was asked is asked again then: it only reads. To be called while Redis is there.
   */
  renewIfSilent(ms: number): void {
    const now = performance.now()
    // An answer that takes longer than that comes at last.
    if (this.unanswered === 0 || now - this.silentSince < ms * 2 ** this.doublings) return
    this.silentSince = now
    this.doublings = Math.min(this.doublings + 1, mostDoublings)
    // Before there is a connection it is given up and tried again in any case.
    if (this.redis.status !== 'connecting' && this.redis.status !== 'reconnecting') this.redis.disconnect(true)
  }

  close(): void {
    this.redis.disconnect()
  }

  private async heard<T>(asked: Promise<T>): Promise<T> {
    if (this.unanswered++ === 0) this.silentSince = performance.now()
    try {
      return await asked
    } finally {
      this.unanswered--
      this.silentSince = performance.now()
      this.doublings = 0
    }
  }
}

type Read = (...args: never[]) => Promise<unknown>
