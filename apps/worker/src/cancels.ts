import { DebloxError } from '@deblox/actions/errors'
import type { Endings } from '@deblox/fleet/endings'
import type { Logger } from 'pino'

/** While this dock works on something, it asks so often whether that shall stop, in milliseconds. */
const askMs = 500

/** Ends what this dock is working on when somebody cancels it. */
export class Cancels {
  /** By slot: one that was found stalled may have been taken a second time while it runs. */
  private readonly underWay = new Map<string, Set<AbortController>>()
  private timer: NodeJS.Timeout | undefined
  private asking = false

  constructor(
    private readonly endings: Pick<Endings, 'takeCancels'>,
    private readonly hostname: string,
    private readonly log: Logger,
  ) {}

  /** Runs a task under a signal that aborts with `job_cancelled` when the slot is cancelled. */
  async guard<T>(slotId: string, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const cancelled = new AbortController()
    const takes = this.underWay.get(slotId) ?? new Set()
    this.underWay.set(slotId, takes.add(cancelled))
    this.timer ??= setInterval(() => void this.ask(), askMs)
    try {
      return await task(cancelled.signal)
    } finally {
      takes.delete(cancelled)
      if (takes.size === 0) this.underWay.delete(slotId)
      if (this.underWay.size === 0) {
        clearInterval(this.timer)
        this.timer = undefined
      }
    }
  }

  private async ask(): Promise<void> {
    // A Redis that is away keeps each question until it is back.
    if (this.asking) return
    this.asking = true
    try {
      for (const slotId of await this.endings.takeCancels(this.hostname)) {
        for (const take of this.underWay.get(slotId) ?? []) take.abort(cancelled())
      }
    } catch (error) {
      this.log.debug({ err: error }, 'asking for cancelled jobs failed; trying again')
    } finally {
      this.asking = false
    }
  }
}

export const cancelled = (): DebloxError =>
  new DebloxError('job_cancelled', 'it was cancelled while it was worked on; a part of it may have been done')
