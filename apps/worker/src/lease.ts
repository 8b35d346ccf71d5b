import { setMaxListeners } from 'node:events'
import { performance } from 'node:perf_hooks'
import { DebloxError } from '@deblox/actions/errors'
import type { Docks } from '@deblox/fleet/docks'
import type { Heartbeat } from '@deblox/fleet/leases'
import { times } from '@deblox/fleet/names'

/** Stop acting so long before Redis would let another worker in, in milliseconds. */
const margin = 1_000

/**
 * This incarnation's right to act for its hostname. It is judged by the monotonic clock and counted from when a renewal
 * was sent: however long the process was frozen or cut off, it never believes in a lease that may have ended.
 */
export class Lease {
  private heldUntil = -Infinity
  private period = newPeriod()

  constructor(
    private readonly docks: Docks,
    private readonly hostname: string,
    readonly incarnation: string,
    private readonly now: () => number = () => performance.now(),
  ) {}

  isHeld(): boolean {
    return this.now() < this.heldUntil
  }

  /**
   * Aborts when the lease is found lost. What began before may not go on when it is won back: another dock may have been
   * given the same work in between.
   */
  get lost(): AbortSignal {
    return this.period.signal
  }

  /**
   * Takes the lease, waiting for the end of one whose worker has died. Returns false as soon as the present holder is
   * seen to renew it: then that one lives.
   */
  async acquire(waitMs: (ms: number) => Promise<void>): Promise<boolean> {
    let leastLeft = Infinity
    for (;;) {
      const asked = this.now()
      const { acquired, heldForMs } = await this.docks.acquireLease(this.hostname, this.incarnation)
      if (acquired) {
        this.heldUntil = asked + times.lease - margin
        return true
      }
      if (heldForMs > leastLeft) return false
      leastLeft = heldForMs
      await waitMs(Math.min(heldForMs + 1, times.heartbeat / 4))
    }
  }

  /** Renews the lease and tells what the fleet says of this dock. */
  async renew(daemon: 'ok' | 'unhealthy'): Promise<Heartbeat> {
    const asked = this.now()
    const heartbeat = await this.docks.heartbeat(this.hostname, this.incarnation, daemon)
    if (heartbeat.held) this.heldUntil = asked + times.lease - margin
    else this.lose()
    return heartbeat
  }

  private lose(): void {
    this.heldUntil = -Infinity
    const { period } = this
    this.period = newPeriod()
    period.abort(new DebloxError('lease_lost', 'expected to hold the lease all the time, but it ran out in between'))
  }

  async release(): Promise<void> {
    this.heldUntil = -Infinity
    await this.docks.releaseLease(this.hostname, this.incarnation)
  }
}

function newPeriod(): AbortController {
  const period = new AbortController()
  // Each job and each call that is under way listens.
  setMaxListeners(0, period.signal)
  return period
}
