import { DebloxError } from '@deblox/actions/errors'
import { broken } from './frames'
import type { Pace } from './limits'
import type { Session } from './session'

export interface PulseOptions {
  pace: Pace
  sessions: () => Iterable<Session>
  /** Before each beat. */
  before?: () => void
  /** Asks Redis something, while calls are open: resolves when it has answered. */
  ask: (sessions: readonly Session[]) => Promise<unknown>
  onError: (error: Error) => void
}

/**
 * Beats while calls are open, and ends those whose other end is silent although Redis answers, or that have had no Redis for too
 * long. It counts beats, not time: a process that stood still does not take all others for dead.
 */
export class Pulse {
  private timer: NodeJS.Timeout | undefined
  private asking = false
  private away = 0

  constructor(private readonly options: PulseOptions) {}

  /** To be called when a call is opened. */
  start(): void {
    this.timer ??= setInterval(() => this.beat(), this.options.pace.beatMs)
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private beat(): void {
    const { sessions, pace, before } = this.options
    before?.()
    const busy = [...sessions()].filter(({ members }) => members.size > 0)
    if (busy.length === 0) {
      this.away = 0
      return this.stop()
    }
    if (++this.away > pace.awayBeats) {
      const error = new DebloxError('stream_broken', 'call: expected Redis to answer, got no answer for too long')
      for (const session of busy) session.fail(error)
    }
    if (this.asking) return
    this.asking = true
    void this.ask(busy).finally(() => (this.asking = false))
  }

  private async ask(busy: readonly Session[]): Promise<void> {
    const { ask, pace, onError } = this.options
    try {
      await ask(busy)
    } catch (error) {
      return onError(error as Error)
    }
    this.away = 0
    for (const session of busy) {
      if (session.beat() <= pace.silentBeats) continue
      session.fail(broken('to hear from the other end', 'silence'))
    }
  }
}
