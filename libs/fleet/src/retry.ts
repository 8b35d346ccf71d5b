import { DebloxError } from '@deblox/actions/errors'
import { isFinished, type JobRecord, newJobId, type SlotOutcome } from './job'
import { noteScript } from './job-scripts'
import { type Jobs, unlessGone } from './jobs'
import { clusterTopic, type FleetKeys } from './names'
import { type RedisClient, runScript } from './redis'

/** A job that tries another one again, before it is accepted. */
export interface Retry {
  record: JobRecord
  /** What the other one has done of it. */
  ended: SlotOutcome[]
}

/** How jobs are tried again. */
export function retriesOf(redis: RedisClient, keys: FleetKeys, jobs: Jobs) {
  /** Whether what a job made is still to be deleted: whoever found it now would lose it. */
  const isBeingUndone = async (id: string, slots: SlotOutcome[]): Promise<boolean> => {
    if ((await redis.sismember(keys.rollbacks, id)) === 1) return true
    const undoing = slots.flatMap(({ undoneBy }) => undoneBy ?? [])
    const found = await Promise.all(undoing.map((job) => jobs.status(job).catch(unlessGone)))
    return found.some((job) => job !== null && !job.slots.every(isFinished))
  }

  /** Whether a slot need not be done again: it completed, and what it made is there still. */
  const isThere = async ({ state, dock, result, undoneBy }: SlotOutcome): Promise<boolean> => {
    if (state !== 'completed' || undoneBy !== undefined) return false
    const made = result?.container
    return !made || dock === null || (await redis.hexists(keys.containers(dock), made.id)) === 1
  }

  /**
   * The id of the job that tries this one again: there is one at the most, because all of them act as the first one did, and
   * the second would take what the first has made for its own. One that was noted and never accepted is still to come.
   */
  const onlyRetry = async (id: string, now: number): Promise<string> => {
    const retry = await runScript(redis, noteScript, [keys.job(id)], ['retriedBy', newJobId(now)])
    if (typeof retry === 'string' && (await redis.exists(keys.job(retry))) === 0) return retry
    throw new DebloxError(
      'job_not_failed',
      `id: expected a job that was not tried again yet, got ${id}, which ${String(retry)} tries again: retry that one`,
      { details: { retry } },
    )
  }

  return {
    /**
     * A new job that does what a job that has ended left undone: slots that completed are not done again, and what the
     * others left half done is taken up. Throws `job_not_found`, `job_not_failed`.
     */
    async again(id: string, replyTo: string, now: number): Promise<Retry> {
      const { slots, places } = await jobs.status(id)
      const old = await jobs.own(id)
      const ended = slots.filter(isFinished)
      if (ended.length < slots.length) throw notNow(id, 'has not ended')
      if (ended.every(({ state, undoneBy }) => state === 'completed' && !undoneBy)) throw notNow(id, 'completed')
      if (await isBeingUndone(id, ended)) throw notNow(id, 'has containers that are still to be deleted')
      const there = await Promise.all(ended.map(isThere))
      const { expiresAt, ...rest } = old
      // Where somebody asked for a dock it is that one, whatever Redis says where the job went.
      const isFree = old.dealt === true || old.topics.includes(clusterTopic)
      const record = {
        ...rest,
        id: await onlyRetry(id, now),
        retryOf: old.id,
        origin: old.origin ?? old.id,
        replyTo,
        acceptedAt: now,
        topics: isFree ? places.map(({ topic }) => topic) : old.topics,
        ...(isFree && { dealt: true as const }),
        ...(expiresAt !== undefined && { expiresAt: now + expiresAt - old.acceptedAt }),
      }
      return { record, ended: ended.filter((_, n) => there[n]) }
    },
  }
}

const notNow = (id: string, why: string): DebloxError =>
  new DebloxError('job_not_failed', `id: expected a job that has ended and did not complete, got ${id}, which ${why}`)
