import { DebloxError } from '@deblox/actions/errors'

/** How many streams somebody has open on this replica: each of them holds a connection, and a call to a dock. */
export class Places {
  private readonly taken = new Map<string, number>()

  constructor(private readonly most: number) {}

  /** Takes a place for as long as the signal has not aborted. Throws `too_many_streams`. */
  take(subject: string, over: AbortSignal): void {
    const before = this.taken.get(subject) ?? 0
    if (before >= this.most) {
      throw new DebloxError(
        'too_many_streams',
        `streams: expected at most ${this.most} open ones of ${subject} (DEBLOX_MAX_STREAMS), got one more`,
        { details: { limit: 'streams' } },
      )
    }
    if (over.aborted) return
    this.taken.set(subject, before + 1)
    over.addEventListener('abort', () => this.leave(subject), { once: true })
  }

  /** How many are open. */
  get open(): number {
    return [...this.taken.values()].reduce((sum, count) => sum + count, 0)
  }

  private leave(subject: string): void {
    const left = (this.taken.get(subject) ?? 1) - 1
    if (left > 0) this.taken.set(subject, left)
    else this.taken.delete(subject)
  }
}
