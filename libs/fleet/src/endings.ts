import { DebloxError, errorTable, type ErrorCode } from '@deblox/actions/errors'
import { ifReadable } from './readable-job'
import { labelNames } from '@deblox/actions/made'
import { fullId } from '@deblox/actions/schemas'
import type { Job } from 'bullmq'
import type { FleetClock } from './clock'
import {
  anyDock,
  isFinished,
  type JobError,
  type JobPayload,
  type JobRecord,
  newJobId,
  payloadOf,
  type SignedJob,
  type SlotOutcome,
  slotJobId,
  type TerminalState,
} from './job'
import type { SlotPlace } from './entries'
import type { Jobs, JobStatus } from './jobs'
import { clusterTopic, dockOfTopic, dockTopic, type FleetKeys, times } from './names'
import type { Placements } from './placement'
import { noteScript } from './job-scripts'
import { overRedis, type RedisClient, runScript } from './redis'
import { retriesOf } from './retry'
import { standing } from './standing'
import type { SlotReturn, Topics } from './topics'

/** The parts of the fleet that are needed for it. */
interface Parts {
  keys: FleetKeys
  topics: Topics
  jobs: Jobs
  placements: Placements
  clock: FleetClock
}

export type Endings = ReturnType<typeof endingsOf>

/** The ways in which a job ends, or goes on, without the dock that was meant to carry it out. */
export function endingsOf(redis: RedisClient, { keys, topics, jobs, placements, clock }: Parts) {
  /** Takes a slot off its topic; answers the dock that is working on it where that cannot be done any more. */
  const takeOff = async ({ topic, id }: SlotPlace): Promise<{ busy: string | null } | null> => {
    const job = await topics.queue(topic).getJob(id)
    // It has ended since it was looked at: whoever looks next records how.
    if (job && isFinished(standing(0, job, await job.getState()))) return { busy: null }
    if (!job || (await removed(job))) return null
    return { busy: job.processedBy ?? dockOfTopic(topic) }
  }

  /** Ends those slots that nobody works on; answers the docks that work on the others. */
  const endWaiting = async (
    { record, slots, places }: JobStatus,
    state: TerminalState,
    why: JobError,
  ): Promise<{ slot: number; busy: string | null }[]> => {
    const left = await Promise.all(
      slots.map(async (status, n) => {
        if (isFinished(status)) return []
        const taken = await takeOff(places[n] as SlotPlace)
        if (taken) return [{ slot: status.slot, busy: taken.busy }]
        await jobs.finish(payloadOf(record, status.slot), { ...endedUndone(status, clock.now()), state, error: why })
        return []
      }),
    )
    return left.flat()
  }

  const cancelFor = async (found: JobStatus, why: JobError): Promise<void> => {
    const { record } = found
    // Before anything else: whoever takes a slot from now on sees it, and whoever puts one on its topic does not.
    await runScript(redis, noteScript, [keys.job(record.id)], ['cancel', why.message])
    const busy = await endWaiting(found, 'cancelled', why)
    for (const { slot, busy: dock } of busy) {
      if (dock === null) continue
      await redis
        .pipeline()
        .sadd(keys.cancels(dock), slotJobId(record.id, slot))
        .pexpire(keys.cancels(dock), times.cancel)
        .exec()
    }
  }

  return overRedis({
    /**
     * Cancels a job: its waiting slots at once; the docks that work on others are told, and end them when they see it.
     * Throws `job_not_found`, or `job_finished` where it has ended in another way.
     */
    async cancel(id: string): Promise<void> {
      const found = await jobs.status(id)
      if (found.slots.every(isFinished)) {
        if (found.slots.some(({ state }) => state === 'cancelled')) return
        throw jobFinished(id)
      }
      await cancelFor(found, failure('job_cancelled', 'it was cancelled before it was done'))
    },

    /** The slots that this dock is working on and shall stop. Each is told once. */
    async takeCancels(hostname: string): Promise<string[]> {
      return (await redis.spop(keys.cancels(hostname), 1_000)) ?? []
    },

    ...retriesOf(redis, keys, jobs),

    /** Ends what waits beyond its deadline. What is worked on is left to whoever works on it. */
    async expire(id: string): Promise<void> {
      const found = await ifReadable(id, jobs.status(id))
      if (!found) return void (await redis.zrem(keys.deadlines, id))
      const { expiresAt = Infinity } = found.record
      const when = Number.isFinite(expiresAt) ? new Date(expiresAt).toISOString() : 'its deadline'
      await endWaiting(found, 'expired', failure('job_expired', `expected to be begun before ${when}, but was not`))
      await redis.zadd(keys.deadlines, 'XX', String(clock.now() + lookAgainMs), id)
    },

    /**
     * Ends, or puts back for any other dock, what waits on the topic of a dock that was removed or does not come back: a
     * part of a long topic at a time. Answers where the next part begins.
     */
    async leaveDock(hostname: string, isRemoved: boolean, from = 0): Promise<number> {
      const queue = topics.queue(dockTopic(hostname))
      const ids = await queue.getRanges(['wait', 'delayed'], from, from + atOnce - 1, true)
      let stay = 0
      for (const id of ids) {
        const job = await queue.getJob(id).catch(unlessUnreadable)
        const payload = job && (await openOwn(job))
        const isFree = payload?.dock === anyDock
        if (!job || !payload || (!isFree && !isRemoved)) {
          stay++
          continue
        }
        if (isFree)
          await jobs.forward(payload, clusterTopic, `${hostname} ${isRemoved ? 'was removed' : 'is not heard of'}`)
        if (!(await removed(job)) || isFree) continue
        const attempts = await jobs.starts(payload)
        await jobs.finish(payload, {
          ...endedUndone({ slot: payload.slot, dock: hostname, attempts }, clock.now()),
          state: 'failed',
          error: failure('dock_removed', `expected ${hostname} to be in the fleet, but it was removed`),
        })
      }
      return ids.length < atOnce ? 0 : from + Math.max(0, atOnce - ids.length + stay)
    },

    /** Undoes the slots of a job of which one did not complete. Answers whether nothing is left to be done. */
    async rollBack(id: string): Promise<boolean> {
      const found = await ifReadable(id, jobs.status(id))
      // What the API has not written it does not undo either.
      const record = found && (await jobs.own(id).catch(unlessForeign))
      if (!found || !record || record.onFailure !== 'rollback') return true
      const { slots } = found
      if (!slots.every(isFinished)) {
        await cancelFor(found, failure('job_cancelled', 'another of its containers could not be made'))
        return false
      }
      // Anybody may have put it among those that are to be undone.
      if (slots.every(({ state }) => state === 'completed')) return true
      // What was made is the retry's from then on; there is none before all was undone.
      if ((await redis.hexists(keys.job(id), 'retriedBy')) === 1) return true
      await Promise.all(slots.map((slot) => undo(record, slot)))
      return true
    },
  })

  /** What a stranger has written there stays for the dock's own worker to refuse. */
  async function openOwn(job: Job<SignedJob, SlotReturn>): Promise<JobPayload | undefined> {
    const payload = await jobs.open(job.data).catch(unlessForeign)
    return payload && (await jobs.entry({ topic: job.queueName, id: String(job.id) })).isPlace ? payload : undefined
  }

  /** Deletes by a job of its own what a slot made: that waits for its dock, and can be looked at. */
  async function undo(record: JobRecord, { slot, dock, result, error }: SlotOutcome): Promise<void> {
    // What was made and could not be started is named by why it failed.
    const made: unknown = result?.container ?? error?.details?.['container']
    if (made === undefined || dock === null) return
    // It is nobody's from now on: what comes late, or stays because its dock was away, is removed by that dock's reaper.
    await placements.revoke(record.origin ?? record.id, slot)
    const container = idOf(made)
    if (container === undefined) return
    const id = await runScript(redis, noteScript, [keys.job(record.id)], [`undone:${slot}`, newJobId()])
    if (typeof id !== 'string') return
    const { actor, owner, identity, replyTo } = record
    const labels = { [labelNames.job]: record.origin ?? record.id, [labelNames.slot]: String(slot) }
    await jobs.accept({
      // Under a key, so that what was cut short is gone on with; no caller can send one with a space in it.
      idempotency: { key: `undo ${record.id} ${slot}`, payload: container },
      record: {
        id,
        action: 'delete-container',
        params: { id: container, force: true, volumes: true },
        actor,
        owner,
        ...(identity && { identity }),
        // The outcome may be anybody's word: its dock looks whether that container is the slot's.
        given: { labels },
        replyTo,
        numbered: false,
        acceptedAt: clock.now(),
        topics: [dockTopic(dock)],
      },
    })
  }
}

/** A job whose deadline is over and that is worked on is looked at again after so long, in milliseconds. */
const lookAgainMs = 5_000

/** Of a long topic so many jobs are seen to at a time. */
const atOnce = 200

/** Removes a job from its topic unless somebody works on it. BullMQ has no code for that, only words. */
async function removed(job: Job<SignedJob, SlotReturn>): Promise<boolean> {
  try {
    await job.remove()
    return true
  } catch (error) {
    if (error instanceof Error && error.message.includes('locked')) return false
    throw error
  }
}

/** Undefined where something else stands there, such as an id that was hidden with a secret that is in it. */
function idOf(made: unknown): string | undefined {
  const id: unknown = (made as { id?: unknown } | null)?.id
  return typeof id === 'string' && fullId.test(id) ? id : undefined
}

const endedUndone = (
  { slot, dock, attempts }: { slot: number; dock: string | null; attempts: number },
  finishedAt: number,
) => ({ slot, dock, attempts, startedAt: null, finishedAt, result: null })

const failure = (code: ErrorCode, message: string): JobError => ({ code, status: errorTable[code].status, message })

const jobFinished = (id: string): DebloxError =>
  new DebloxError('job_finished', `id: expected a job that has not ended, got ${id}, which has`)

function unlessForeign(error: unknown): undefined {
  const isForeign = error instanceof DebloxError && ['bad_signature', 'invalid_request'].includes(error.code)
  if (!isForeign) throw error
}

function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof SyntaxError)) throw error
}
