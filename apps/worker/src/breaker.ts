import { times } from '@deblox/fleet/names'

/** `half-open`: one probe is under way that decides. */
type BreakerState = 'closed' | 'open' | 'half-open'

/** An open one is probed after so long; each failure doubles it, in milliseconds. */
const probePause = { first: 250, longest: 2_000 } as const

/**
 * Whether calls go through to something that may hang. Closed until one fails; then only a probe may go through, one at a
 * time, until one succeeds. It keeps no time of its own and asks nothing: it is told, and tells.
 */
export class Breaker {
  private current: BreakerState = 'open'
  private failures = 0

  get state(): BreakerState {
    return this.current
  }

  /** How long to wait before the next look, in milliseconds. */
  get pauseMs(): number {
    if (this.current === 'closed') return times.heartbeat
    return Math.min(probePause.first * 2 ** Math.max(0, this.failures - 1), probePause.longest)
  }

  /** Begins a probe; false where none is due: it is closed, or another one is under way. */
  probe(): boolean {
    if (this.current !== 'open') return false
    this.current = 'half-open'
    return true
  }

  /** What was asked has answered. Only a probe closes it: an answer that was on its way says little. */
  succeeded(): void {
    if (this.current !== 'half-open') return
    this.current = 'closed'
    this.failures = 0
  }

  /** Something failed, be it the probe or a call. A call that began before the probe does not end it. */
  failed(by: 'look' | 'call'): void {
    if (this.current === 'half-open' && by === 'call') return
    if (this.current !== 'open') this.failures++
    this.current = 'open'
  }
}
