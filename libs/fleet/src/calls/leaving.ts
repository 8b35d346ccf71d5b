import { DebloxError } from '@deblox/actions/errors'
import type { Asked } from './call'
import { broken } from './frames'

/** Whether whoever asks still waits: until his time is over, or he leaves. */
export class Leaving {
  error: Error | undefined
  private leave!: (error: Error) => void
  private readonly left: Promise<never>
  private readonly timer: NodeJS.Timeout
  private readonly onAbort = () => this.end(broken('a call that goes on', 'its caller to have left'))

  constructor(private readonly asked: Pick<Asked, 'signal' | 'withinMs' | 'dock'>) {
    this.left = new Promise((_, reject) => (this.leave = reject))
    this.left.catch(() => undefined)
    const { signal, withinMs, dock } = asked
    this.timer = setTimeout(() => this.end(timeout(dock, withinMs)), withinMs)
    signal.addEventListener('abort', this.onAbort, { once: true })
    if (signal.aborted) this.onAbort()
  }

  /** What this gives, if it does in time. */
  before<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.left])
  }

  /** It does not matter any more. */
  over(): void {
    clearTimeout(this.timer)
    this.asked.signal.removeEventListener('abort', this.onAbort)
  }

  private end(error: Error): void {
    this.error ??= error
    this.leave(this.error)
  }
}

const timeout = (dock: string, withinMs: number): DebloxError =>
  new DebloxError('call_timeout', `call: expected ${dock} to answer within ${withinMs / 1000} s, got no answer`)
