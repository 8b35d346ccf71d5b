import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { type Job, type JobJson, Worker } from 'bullmq'

/** A take that is under way is waited for so long at the most, in milliseconds: Redis may be away. */
const takingMs = 1_000

/**
 * Takes jobs one after the other, so that they reach the processor in the order of their topic. BullMQ's own worker also
 * takes one whenever it reports that one has ended, and when such a take meets another, the later job may come first.
 */
export class InOrderWorker<Data, Result> extends Worker<Data, Result> {
  private taking: Promise<unknown> = Promise.resolve()
  private takesNoMore = false

  override processJob(job: Job<Data, Result>, token: string): ReturnType<Worker<Data, Result>['processJob']> {
    return super.processJob(job, token, () => false)
  }

  /** Takes so many jobs at once from now on. A worker that is full would else find that out only when a job ends. */
  takeUpTo(count: number): void {
    const isMore = count > this.concurrency
    this.concurrency = count
    // As BullMQ's `resume` does; without that this loop waits for what it has.
    const { mainLoopQueue } = this as unknown as { mainLoopQueue: { add(wake: Promise<void>): void } | null }
    if (isMore) mainLoopQueue?.add(Promise.resolve())
  }

  /**
   * Resolves when all that was taken has reached the processor, and nothing more will be. `pause` alone does not do it: a
   * worker that waits for a job takes the next one that comes, and that one would be overtaken by what is given back.
   */
  async takeNoMore(): Promise<void> {
    this.takesNoMore = true
    await this.pause(true)
    // Closing ends the wait for a job: else the wake-up for one that is given back would be lost on this worker.
    this.close().catch(() => undefined)
    await Promise.race([
      Promise.all([this.taking, this.backend.disconnectBlocking(true)]),
      wait(takingMs, undefined, { ref: false }),
    ])
    await turn()
  }

  /**
   * A job has nothing to tell BullMQ: Deblox uses none of its options, flows and repetitions, so those in a record are a
   * stranger's, and could have it retried for ever. One whose data is no JSON reaches the processor without, to fail there.
   */
  protected override createJob(record: JobJson, id: string): Job<Data, Result> {
    const { name, data, timestamp, attemptsStarted, attemptsMade, stalledCounter } = record
    const { processedOn, deferredFailure } = record
    const plain = {
      id,
      name,
      opts: {},
      progress: 0,
      timestamp,
      attemptsStarted,
      attemptsMade,
      stalledCounter,
      failedReason: '',
    }
    const kept = { ...plain, ...(processedOn && { processedOn }), ...(deferredFailure && { deferredFailure }) }
    try {
      return super.createJob({ ...kept, data } as JobJson, id)
    } catch {
      return super.createJob({ ...kept, data: 'null' } as JobJson, id)
    }
  }

  protected override moveToActive(token: string, name?: string): ReturnType<Worker<Data, Result>['moveToActive']> {
    // BullMQ's own types have no undefined here, though it answers that where there is no job.
    if (this.takesNoMore) return Promise.resolve(undefined) as never
    const taken = super.moveToActive(token, name)
    this.taking = taken.catch(() => undefined)
    return taken
  }
}
