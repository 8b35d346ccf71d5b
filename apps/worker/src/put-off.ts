import type { Fleet } from '@deblox/fleet/fleet'
import { clusterTopic } from '@deblox/fleet/names'
import { DelayedError, WaitingError } from 'bullmq'
import type { SlotJob } from './consumer'
import { untilServed } from './until-served'

/** BullMQ's score of a job that was put off is its time by this much. */
const delayedScale = 0x1000

/** How jobs that this dock does not carry out leave it. Where Redis refuses that until the signal aborts, they are found stalled. */
export class PutOff {
  constructor(
    private readonly fleet: Pick<Fleet, 'redis' | 'prefix' | 'clock'>,
    private readonly stopping: AbortSignal,
  ) {}

  /**
   * Has a job looked at again later. BullMQ goes by the date of whoever puts a job off and of whoever takes it: on the
   * cluster topic, where these may be two machines, by Redis's, or a wrong date on one would keep a job for as long.
   */
  async later(job: SlotJob, token: string, ms: number): Promise<never> {
    await this.done(() => job.moveToDelayed(Date.now() + ms, token))
    if (job.queueName === clusterTopic) {
      const score = (this.fleet.clock.now() + ms) * delayedScale
      const key = `${this.fleet.prefix}:${clusterTopic}:delayed`
      await this.done(() => this.fleet.redis.zadd(key, 'XX', score, String(job.id)))
    }
    throw new DelayedError()
  }

  /** Has a job given to another worker at once. */
  async toOthers(job: SlotJob, token: string): Promise<never> {
    await this.done(() => job.moveToWait(token))
    throw new WaitingError()
  }

  /** A job must not fail because it could not be moved. */
  async done(move: () => Promise<unknown>): Promise<void> {
    await untilServed(move, this.stopping).catch((error: unknown) => {
      throw this.stopping.aborted ? new WaitingError() : error
    })
  }
}
