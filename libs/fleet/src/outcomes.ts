import { beginScript, countStartScript, finishScript, noteScript } from './job-scripts'
import { type JobPayload, type JobRecord, type SlotOutcome, type SlotResult } from './job'
import { pullsOf } from './job-events'
import { toldBy, toldOfEnd } from './job-telling'
import { digest } from './digest'
import { counts, type FleetKeys, times } from './names'
import { type RedisClient, runScript } from './redis'

/** A result is kept in the job's record up to this size in characters; beyond it a key of its own has it for a while. */
const keptResult = 4_096

/** Up to this size BullMQ's record of a slot has a copy, in case that a worker dies between the two. */
export const copiedResult = 1_024

/** Up to this size it is told to the replica that waits: a larger one is read from that key. */
const toldResult = 65_536

/** Beyond this no result goes into Redis at all, in characters. */
export const maxResult = 32 * 2 ** 20

/** The claim under which an outcome was reached, and by which incarnation of the dock's worker, where that is to be asked. */
export interface ClaimOf {
  hostname: string
  epoch: number
  incarnation?: string
}

/** `ended`: the slot had an outcome, or is no longer kept. `refused`: somebody else was given the slot, or the dock, since. */
export type Recorded = 'recorded' | 'ended' | 'refused'

/** What is known of a slot when a worker is about to begin it. */
export interface Beginning {
  /** It has ended already. */
  outcome: SlotOutcome | null
  /** Somebody has asked for it not to be done. */
  cancelled: boolean
  /** How often it was begun before and not given back in order. */
  starts: number
  /** Whether this start counts already. */
  counted: boolean
}

/** Also jobs are ended whose record no API has written: what it says must not be any key that is written to, and expires. */
function replyStreamIn(keys: FleetKeys, replyTo: unknown): string {
  const text = String(replyTo)
  const all = keys.replies('')
  return text.startsWith(all) && /^[A-Za-z0-9._-]+$/.test(text.slice(all.length)) ? text : keys.replies('nobody')
}

/** How the slots of jobs began and ended. */
export function outcomesOf(redis: RedisClient, keys: FleetKeys) {
  const outcome = async ({ jobId, slot }: JobPayload): Promise<SlotOutcome | null> => {
    const known = await redis.hget(keys.job(jobId), `slot:${slot}`)
    return known === null ? null : (JSON.parse(known) as SlotOutcome)
  }

  /** How often a slot was begun, without what was given back in order. */
  const starts = async ({ jobId, slot }: JobPayload): Promise<number> =>
    Number((await redis.hget(keys.job(jobId), `starts:${slot}`)) ?? 0)

  /**
   * Records how a slot ended and tells the replica that waits. A second outcome of a slot changes nothing, nor does one that
   * was reached under a claim that somebody else has taken over: that one's outcome is the slot's. Nor does one of a worker
   * whose lease is another's: that one has the dock's claims too.
   */
  const finish = async (payload: JobPayload, ended: SlotOutcome, claim?: ClaimOf): Promise<Recorded> => {
    const result = JSON.stringify(ended.result)
    const used = [
      keys.job(payload.jobId),
      replyStreamIn(keys, payload.replyTo),
      keys.jobs,
      keys.finished,
      keys.inflight(digest(payload.actor)),
      keys.deadlines,
      keys.rollbacks,
      keys.placement(payload.origin ?? payload.jobId, ended.slot),
      keys.result(payload.jobId, ended.slot),
      keys.jobEvents(payload.jobId),
      keys.jobEvents(pullsOf(payload.jobId)),
      ...(claim?.incarnation === undefined ? [] : [keys.lease(claim.hostname)]),
    ]
    const args = [
      ended.slot,
      ended.state,
      JSON.stringify(withoutLargeResult(ended, keptResult)),
      JSON.stringify(withoutLargeResult(ended, toldResult)),
      payload.jobId,
      times.finishedJob,
      counts.repliesPerReplica,
      times.replies,
      payload.action,
      payload.acceptedAt,
      counts.finishedJobs,
      keys.job(''),
      claim?.hostname ?? '',
      claim?.epoch ?? '',
      hasMade(ended) ? 1 : 0,
      result.length > keptResult ? result : '',
      times.largeResult,
      toldBy(keys, payload),
      JSON.stringify(toldOfEnd(ended)),
      keys.jobEvents(''),
      pullsOf(''),
      claim?.incarnation ?? '',
    ]
    const recorded = await runScript(redis, finishScript, used, args)
    if (recorded === -1) return 'refused'
    return recorded === 1 ? 'recorded' : 'ended'
  }

  const recount = async (payload: JobPayload, count: 1 | -1, dock?: string, why = ''): Promise<void> => {
    const { jobId, slot } = payload
    const args = [slot, count, dock === undefined ? '' : toldBy(keys, payload), dock ?? '', why]
    await runScript(redis, countStartScript, [keys.job(jobId), keys.jobEvents(jobId)], args)
  }

  return {
    /**
     * What is known of a slot before it begins; counts that it does, if it was begun less often than `fewer` before. `dock`: where
     * it is told to have started; that of a create is told when it is claimed.
     */
    async begin(payload: JobPayload, fewer = Infinity, dock?: string): Promise<Beginning> {
      const { jobId, slot } = payload
      const most = Math.min(fewer, Number.MAX_SAFE_INTEGER)
      const args = [slot, most, dock === undefined ? '' : toldBy(keys, payload), dock ?? '']
      const found = await runScript(redis, beginScript, [keys.job(jobId), keys.jobEvents(jobId)], args)
      const [known, cancelled, starts, counted] = found as [string | null, string | null, number, number | null]
      return {
        outcome: known ? (JSON.parse(known) as SlotOutcome) : null,
        cancelled: Boolean(cancelled),
        starts,
        counted: counted === 1,
      }
    },

    starts,

    /** Notes that a slot was taken and waits for its turn on its dock, or that it does so no longer. */
    async queued({ jobId, slot }: JobPayload, waits: boolean): Promise<void> {
      const field = `queued:${slot}`
      if (waits) await runScript(redis, noteScript, [keys.job(jobId)], [field, '1'])
      else await redis.hdel(keys.job(jobId), field)
    },

    /** Counts that a worker begins a slot, and tells so where a dock is given as to `begin`. */
    async countStart(payload: JobPayload, dock?: string): Promise<void> {
      await recount(payload, 1, dock)
    },

    /** Counts that a worker has given a slot back in order, and tells why it waits where that is given. */
    async uncountStart(payload: JobPayload, told?: { dock: string; why: string }): Promise<void> {
      await recount(payload, -1, told?.dock, told && JSON.stringify({ why: told.why }))
    },

    /** Marks that a slot's effect may have begun; tells whether it was marked before. */
    async markBegun({ jobId, slot }: JobPayload): Promise<{ before: boolean }> {
      return { before: (await redis.hsetnx(keys.job(jobId), `begun:${slot}`, '1')) === 0 }
    },

    /** Whether a slot's effect may have begun. */
    async wasBegun({ jobId, slot }: JobPayload): Promise<boolean> {
      return (await redis.hexists(keys.job(jobId), `begun:${slot}`)) === 1
    },

    /** Takes the mark back: nothing was sent to the daemon. */
    async unmarkBegun({ jobId, slot }: JobPayload): Promise<void> {
      await redis.hdel(keys.job(jobId), `begun:${slot}`)
    },

    /** How a slot ended, if that has been recorded. */
    outcome,

    finish,

    /**
     * The outcome of a slot that BullMQ says has ended. It is recorded, if nobody has done that: BullMQ will forget it,
     * and then the job would seem to wait for ever.
     */
    async settle(payload: JobPayload, found: SlotOutcome): Promise<SlotOutcome> {
      // BullMQ counts also how often it was only offered.
      const attempts = await starts(payload)
      await finish(payload, { ...found, attempts, startedAt: attempts > 0 ? found.startedAt : null })
      const recorded = await outcome(payload)
      if (!recorded) return found
      return recorded.state === 'completed' && !recorded.result ? { ...recorded, result: found.result } : recorded
    },

    /** A slot's result in full; null where it is gone. */
    async result({ id }: Pick<JobRecord, 'id'>, slot: number): Promise<SlotResult | null> {
      const large = await redis.get(keys.result(id, slot))
      return large === null ? null : (JSON.parse(large) as SlotResult)
    },
  }
}

function withoutLargeResult(outcome: SlotOutcome, limit: number): SlotOutcome {
  return JSON.stringify(outcome.result).length > limit ? { ...outcome, result: null } : outcome
}

/** Whether there is a container of this slot: a failed start tells of the one that it could not start. */
const hasMade = ({ result, error }: SlotOutcome): boolean =>
  result?.container !== undefined || error?.details?.['container'] !== undefined
