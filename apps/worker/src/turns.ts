import { DebloxError } from '@deblox/actions/errors'
import type { JobPayload } from '@deblox/fleet/job'
import type { Jobs } from '@deblox/fleet/jobs'
import { Chains } from './chains'
import { Limit } from './limit'
import { expired } from './refusals'

/** How many jobs a dock works on at once, beside those that wait for a pull. */
const maxAtWork = 20

/** It left the line before its turn came: it was cancelled, or its time was over. */
export class LeftLine extends Error {
  constructor(readonly why: DebloxError) {
    super(why.message)
  }
}

/** The lines in which slots wait that were taken: jobs of one container for one another, all of them for a place at work. */
export class Turns {
  private readonly chains = new Chains()
  readonly atWork = new Limit(maxAtWork)

  constructor(
    private readonly jobs: Pick<Jobs, 'queued'>,
    private readonly now: () => number,
  ) {}

  /**
   * Runs a task when its turn has come. Until then it stands as waiting, though BullMQ calls it active, and can leave: throws
   * `LeftLine` when the signal aborts or its deadline comes; without a signal it has to stay.
   */
  async run<T>(payload: JobPayload, leave: AbortSignal | null, task: () => Promise<T>): Promise<T> {
    const { id } = payload.params
    const key = typeof id === 'string' ? id : `job ${payload.jobId} ${payload.slot}`
    if (!this.chains.isBusy(key) && !this.atWork.isFull) return this.inLine(key, task)
    const line = this.waiting(payload, leave)
    try {
      return await Promise.race([
        this.inLine(key, async () => {
          // Who has left is answered already: the next one's turn comes at once.
          if (line.hasLeft()) return line.left
          line.end()
          return task()
        }),
        line.left,
      ])
    } finally {
      line.end()
    }
  }

  private inLine<T>(key: string, task: () => Promise<T>): Promise<T> {
    return this.chains.run(key, () => this.atWork.run(task))
  }

  private waiting(payload: JobPayload, leave: AbortSignal | null) {
    let why: LeftLine | undefined
    let go: () => void = () => {}
    const left = new Promise<never>((_, reject) => {
      go = () => reject(why)
    })
    left.catch(() => undefined)
    const leaving = (reason: DebloxError): void => {
      why ??= new LeftLine(reason)
      go()
    }
    const onCancel = () => leaving(new DebloxError('job_cancelled', 'it was cancelled before it was begun'))
    const { expiresAt } = payload
    const timer =
      expiresAt === undefined || leave === null
        ? undefined
        : setTimeout(() => leaving(expired(payload)), Math.max(0, expiresAt - this.now()))
    leave?.addEventListener('abort', onCancel, { once: true })
    const told = this.tell(payload, true)
    let isOver = false
    return {
      left,
      hasLeft: () => why !== undefined,
      end: () => {
        if (isOver) return
        isOver = true
        clearTimeout(timer)
        leave?.removeEventListener('abort', onCancel)
        // A script that Redis does not know yet takes a second try: the first word must not come last.
        void told.then(() => this.tell(payload, false))
      },
    }
  }

  /** Only what is shown depends on it. */
  private async tell(payload: JobPayload, waits: boolean): Promise<void> {
    await this.jobs.queued(payload, waits).catch(() => undefined)
  }
}
