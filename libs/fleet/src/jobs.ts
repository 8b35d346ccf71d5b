import { createHash } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import {
  isFinished,
  type JobPayload,
  type JobRecord,
  type JobView,
  type SlotOutcome,
  slotJobId,
  type SlotResult,
  type SlotStatus,
  viewJob,
} from './job'
import { counts, dockOfTopic, type FleetKeys, times } from './names'
import { acceptScript, keepScript, finishScript } from './job-scripts'
import { overRedis, type RedisClient, runScript } from './redis'
import { resultOf, standing } from './standing'
import type { Topics } from './topics'

/** A job that is to be accepted. */
export interface Submission {
  record: JobRecord
  /** The caller's Idempotency-Key and what it was sent with. */
  idempotency?: { key: string; payload: string }
}

export interface Accepted {
  record: JobRecord
  /** An earlier request with the same key had been accepted: this is its job. */
  repeated: boolean
}

export type Jobs = ReturnType<typeof jobsOf>

/**
 * A result is kept beside the outcome, and told to the replica that waits, up to these sizes in characters. Beyond
 * them BullMQ's record has the only copy.
 */
const keptResult = 4_096
const toldResult = 65_536

/** Whether a result can be told before BullMQ has recorded it: a larger one is read from there. */
export const isTold = (result: SlotResult): boolean => JSON.stringify(result).length <= toldResult

/** Accepted jobs: written down first, then put on their topics, then looked up until their end and a day beyond. */
export function jobsOf(redis: RedisClient, keys: FleetKeys, topics: Topics) {
  const readRecord = async (id: string): Promise<Record<string, string>> => {
    const fields = await redis.hgetall(keys.job(id))
    if (fields['record'] === undefined) throw jobNotFound(id)
    return fields
  }

  const idempotencyKey = (actor: string, key: string): string => keys.idempotency(digest(`${actor}\0${key}`))

  /** Puts the slots on their topics; of an earlier try those that have not ended or been handed on since. */
  const enqueue = async (record: JobRecord, known: Record<string, string> = {}): Promise<void> => {
    const isKnown = (slot: number) => `slot:${slot}` in known || `topic:${slot}` in known
    await Promise.all(
      record.topics.map(async (topic, n) => {
        if (isKnown(n + 1)) return
        await topics.queue(topic).add(record.action, payloadOf(record, n + 1), { jobId: slotJobId(record.id, n + 1) })
      }),
    )
  }

  /** Writes the job down, unless its key has one already: then returns that one's payload digest and id. */
  const write = async (record: JobRecord, payload: string, key: string): Promise<[string, string] | null> =>
    (await redis.eval(
      acceptScript.lua,
      3,
      key,
      keys.job(record.id),
      keys.jobs,
      payload,
      times.idempotency,
      JSON.stringify(record),
      record.acceptedAt,
      record.id,
      counts.jobs,
      record.topics.length,
    )) as [string, string] | null

  /** The record and how each slot stands. Throws `job_not_found`. */
  const status = async (id: string): Promise<{ record: JobRecord; slots: SlotStatus[] }> => {
    const fields = await readRecord(id)
    const record = parseRecord(fields)
    const slots = await Promise.all(record.topics.map((topic, n) => slotStatus(record, n + 1, topic, fields)))
    return { record, slots }
  }

  return overRedis({
    /**
     * Accepts a job: when this returns, it is on its topics. Whoever answers before it has ended calls `keep` first. A
     * repeated Idempotency-Key gives the earlier job, and finishes putting it on its topics if that was cut short.
     * Throws `idempotency_key_reused`.
     */
    async accept({ record, idempotency }: Submission): Promise<Accepted> {
      if (!idempotency) {
        // Both go out on one connection, so that the record is there before anybody can take the job. The script goes
        // by its text: sent again because Redis did not know its hash, it would come after the job.
        await Promise.all([write(record, '', idempotencyKey('', '')), enqueue(record)])
        return { record, repeated: false }
      }
      const payload = digest(idempotency.payload)
      const known = await write(record, payload, idempotencyKey(record.actor, idempotency.key))
      if (known === null) {
        await enqueue(record)
        return { record, repeated: false }
      }
      const [knownPayload, knownId] = known
      if (knownPayload !== payload) throw keyReused(idempotency.key)
      const fields = await readRecord(knownId)
      const earlier = parseRecord(fields)
      // The replica that accepted it may have died before it was on its topics. Adding again is safe: BullMQ knows the
      // ids, and of a slot that ended so long ago that it does not, the outcome is known here.
      if (fields['kept'] === undefined) await enqueue(earlier, fields)
      return { record: earlier, repeated: true }
    },

    /** Makes the record last until the job has ended: to be called before anybody is told to come back for it. */
    async keep(id: string): Promise<void> {
      await runScript(redis, keepScript, [keys.job(id)], [])
    },

    /** The job that was accepted under this key before, or null. Throws `idempotency_key_reused`. */
    async recall(actor: string, { key, payload }: { key: string; payload: string }): Promise<JobRecord | null> {
      const [known, id] = await redis.hmget(idempotencyKey(actor, key), 'payload', 'job')
      if (!known || !id) return null
      if (known !== digest(payload)) throw keyReused(key)
      return parseRecord(await readRecord(id))
    },

    /** Notes that a slot was handed on to another dock's topic, and puts it there. */
    async forward(payload: JobPayload, topic: string): Promise<void> {
      const { jobId, slot, action } = payload
      await topics.queue(topic).add(action, payload, { jobId: slotJobId(jobId, slot) })
      await redis.hset(keys.job(jobId), `topic:${slot}`, topic)
    },

    /** Marks that a slot's effect may have begun; tells whether it was marked before. */
    async markBegun({ jobId, slot }: JobPayload): Promise<{ before: boolean }> {
      return { before: (await redis.hsetnx(keys.job(jobId), `begun:${slot}`, '1')) === 0 }
    },

    /** Takes the mark back: nothing was sent to the daemon. */
    async unmarkBegun({ jobId, slot }: JobPayload): Promise<void> {
      await redis.hdel(keys.job(jobId), `begun:${slot}`)
    },

    /** How a slot ended, if that has been recorded. */
    outcome: ({ jobId, slot }: JobPayload) => outcomeOf(jobId, slot),

    /** Records how a slot ended and tells the replica that waits. A second outcome of a slot changes nothing. */
    async finish(payload: JobPayload, outcome: SlotOutcome): Promise<void> {
      const args = [
        outcome.slot,
        JSON.stringify(withoutLargeResult(outcome, keptResult)),
        JSON.stringify(withoutLargeResult(outcome, toldResult)),
        payload.jobId,
        times.finishedJob,
        counts.repliesPerReplica,
        times.replies,
        payload.action,
        payload.acceptedAt,
      ]
      await runScript(redis, finishScript, [keys.job(payload.jobId), payload.replyTo], args)
    },

    status,

    /** Newest first, from before the job of the cursor on. */
    async list(limit: number, cursor?: string): Promise<{ items: JobView[]; nextCursor: string | null }> {
      const after = cursor === undefined ? null : await redis.zrevrank(keys.jobs, cursor)
      // The oldest are forgotten first: after a job that was, there is none.
      if (cursor !== undefined && after === null) return { items: [], nextCursor: null }
      const start = after === null ? 0 : after + 1
      const ids = await redis.zrange(keys.jobs, String(start), String(start + limit), 'REV')
      const found = await Promise.all(ids.slice(0, limit).map((id) => status(id).catch(unlessGone)))
      const items = found.flatMap((job) => (job ? [viewJob(job.record, job.slots)] : []))
      return { items, nextCursor: ids.length > limit ? (ids[limit - 1] ?? null) : null }
    },

    /** A slot's result in full, from BullMQ's record; null where that is gone. */
    async result(record: JobRecord, slot: number): Promise<SlotResult | null> {
      const topic = record.topics[slot - 1] as string
      const job = await topics.queue(topic).getJob(slotJobId(record.id, slot))
      return job && 'envelope' in (job.returnvalue ?? {}) ? (job.returnvalue as SlotResult) : null
    },
  })

  async function outcomeOf(jobId: string, slot: number): Promise<SlotOutcome | null> {
    const known = await redis.hget(keys.job(jobId), `slot:${slot}`)
    return known === null ? null : (JSON.parse(known) as SlotOutcome)
  }

  async function slotStatus(
    record: JobRecord,
    slot: number,
    firstTopic: string,
    fields: Record<string, string>,
  ): Promise<SlotStatus> {
    const known = fields[`slot:${slot}`]
    if (known !== undefined) {
      const outcome = JSON.parse(known) as SlotOutcome
      if (outcome.state === 'failed' || outcome.result) return outcome
      // Its envelope was too large to be kept here.
      return { ...outcome, result: resultOf(await getJob(record.id, slot, firstTopic, fields)) }
    }
    const job = await getJob(record.id, slot, firstTopic, fields)
    const found = standing(slot, job, job ? await job.getState() : 'waiting')
    // It ended between the two looks: then the outcome stands beside the record by now, and says it more exactly.
    const ended = isFinished(found) ? await outcomeOf(record.id, slot) : null
    if (ended && (ended.state === 'failed' || ended.result)) return ended
    return { ...found, dock: found.dock ?? dockOfTopic(fields[`topic:${slot}`] ?? firstTopic) }
  }

  function getJob(id: string, slot: number, firstTopic: string, fields: Record<string, string>) {
    return topics.queue(fields[`topic:${slot}`] ?? firstTopic).getJob(slotJobId(id, slot))
  }
}

export function payloadOf(record: JobRecord, slot: number): JobPayload {
  const { id, numbered, action, params, actor, owner, replyTo, acceptedAt } = record
  return { v: 1, jobId: id, slot, numbered, action, params, actor, owner, replyTo, acceptedAt }
}

function withoutLargeResult(outcome: SlotOutcome, limit: number): SlotOutcome {
  return JSON.stringify(outcome.result).length > limit ? { ...outcome, result: null } : outcome
}

const parseRecord = (fields: Record<string, string>): JobRecord => JSON.parse(fields['record'] as string) as JobRecord

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

const jobNotFound = (id: string): DebloxError =>
  new DebloxError(
    'job_not_found',
    `id: expected the id of a job that is waiting, active, or not long finished; got ${id}`,
  )

const keyReused = (key: string): DebloxError =>
  new DebloxError(
    'idempotency_key_reused',
    `Idempotency-Key: expected the same request as before under ${JSON.stringify(key)}, got another`,
  )

function unlessGone(error: unknown): null {
  if (error instanceof DebloxError && error.code === 'job_not_found') return null
  throw error
}
