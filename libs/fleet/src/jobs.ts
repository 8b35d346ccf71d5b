import { DebloxError } from '@deblox/actions/errors'
import { preview } from '@deblox/actions/explain'
import { cutShortOf } from './cut-short'
import { digest, digestWith } from './digest'
import { handoversOf } from './handovers'
import { entriesOf, placeOf, type SlotPlace } from './entries'
import { jobEventsOf } from './job-events'
import { handedOnScript, handOnScript } from './job-scripts'
import { toldBy } from './job-telling'
import {
  isFinished,
  type JobPayload,
  type JobRecord,
  payloadOf,
  type SlotOutcome,
  slotJobId,
  type SlotStatus,
  timeOfJobId,
} from './job'
import { dockOfTopic, type FleetKeys, isTopic } from './names'
import { outcomesOf } from './outcomes'
import { ifReadable } from './readable-job'
import { openJob, signJob } from './payload'
import { type RecordFields, recordsOf } from './records'
import { overRedis, type RedisClient, runScript } from './redis'
import { standing, unfinished } from './standing'
import { signer, type Trust } from './signing/trust'
import type { Topics } from './topics'
import { writeWith } from './write-job'

/** A job that is to be accepted. */
export interface Submission {
  record: JobRecord
  /** The caller's Idempotency-Key and what it was sent with. */
  idempotency?: { key: string; payload: string }
  /** What an earlier job has done of it already. */
  ended?: SlotOutcome[]
}

export interface Accepted {
  record: JobRecord
  /** An earlier request with the same key had been accepted: this is its job. */
  repeated: boolean
}

/** A job's record and how each of its slots stands. */
export interface JobStatus {
  record: JobRecord
  slots: SlotStatus[]
  /** Where each slot is now. */
  places: SlotPlace[]
}

export type Jobs = ReturnType<typeof jobsOf>

/** Accepted jobs: written down first, then put on their topics, then looked up until their end and a day beyond. */
export function jobsOf(redis: RedisClient, keys: FleetKeys, topics: Topics, trust: Trust) {
  const outcomes = outcomesOf(redis, keys)
  const handovers = handoversOf(redis, keys, topics)
  const records = recordsOf(trust)
  const write = writeWith(redis, keys, records)
  const events = jobEventsOf(redis, keys)
  const digestOf = digestWith(trust.keys?.macKey('idempotency'))

  const readRecord = async (id: string): Promise<RecordFields> => {
    const fields = await redis.hgetall(keys.job(id))
    if (fields['record'] === undefined) throw jobNotFound(id)
    return fields
  }

  const idempotencyKey = (actor: string, key: string): string => keys.idempotency(digest(`${actor}\0${key}`))

  /** The record of the job that a key stands for: it may have ended so long ago that it is no longer kept. */
  const readKnown = async (key: string, id: string): Promise<RecordFields> => {
    const fields = await redis.hgetall(keys.job(id))
    if (fields['record'] === undefined) throw knownIsGone(key, id)
    return fields
  }

  /** Puts the slots on their topics; of an earlier try those that have not ended, been cancelled or handed on since. */
  const enqueue = async (record: JobRecord, known: RecordFields = {}): Promise<void> => {
    if ('cancel' in known) return
    const isKnown = (slot: number) => `slot:${slot}` in known || `topic:${slot}` in known
    await Promise.all(
      record.topics.map(async (topic, n) => {
        if (isKnown(n + 1)) return
        const signed = signJob(payloadOf(record, n + 1), signer(trust))
        await topics.queue(topic).add(record.action, signed, { jobId: slotJobId(record.id, n + 1) })
      }),
    )
  }

  /** The record and how each slot stands, with results that have a key of their own or without. Throws `job_not_found`. */
  const status = async (id: string, results: 'all' | 'small' = 'all'): Promise<JobStatus> => {
    const fields = await readRecord(id)
    const record = records.read(fields)
    const places = record.topics.map((_, n) => placeOf(record, n + 1, fields))
    const slots = await Promise.all(places.map((place, n) => slotStatus(record, n + 1, place, fields, results)))
    return { record, slots, places }
  }

  return overRedis({
    /**
     * Accepts a job: when this returns, it is on its topics. A repeated Idempotency-Key gives the earlier job, and
     * finishes putting it on its topics if that was cut short. Throws `idempotency_key_reused`.
     */
    async accept({ record, idempotency, ended = [] }: Submission): Promise<Accepted> {
      const known = Object.fromEntries(ended.map(({ slot }) => [`slot:${slot}`, '']))
      if (!idempotency) {
        // Both go out on one connection, so that the record is there before anybody can take the job. The script goes
        // by its text: sent again because Redis did not know its hash, it would come after the job.
        await Promise.all([write(record, '', idempotencyKey('', ''), ended), enqueue(record, known)])
        return { record, repeated: false }
      }
      const payload = digestOf(idempotency.payload)
      const held = await write(record, payload, idempotencyKey(record.actor, idempotency.key), ended)
      if (held === null) {
        await enqueue(record, known)
        return { record, repeated: false }
      }
      const [heldPayload, heldId] = held
      if (heldPayload !== payload) throw keyReused(idempotency.key)
      const fields = await readKnown(idempotency.key, heldId)
      const earlier = records.own(heldId, fields)
      // The replica that accepted it may have died before it was on its topics. Adding again is safe: BullMQ knows the
      // ids, and of a slot that ended so long ago that it does not, the outcome is known here.
      await enqueue(earlier, fields)
      return { record: earlier, repeated: true }
    },

    /** The job that was accepted under this key before, or null. Throws `idempotency_key_reused`. */
    async recall(actor: string, { key, payload }: { key: string; payload: string }): Promise<JobRecord | null> {
      const [known, id] = await redis.hmget(idempotencyKey(actor, key), 'payload', 'job')
      if (!known || !id) return null
      if (known !== digestOf(payload)) throw keyReused(key)
      return records.own(id, await readKnown(key, id))
    },

    /**
     * Puts a slot on another topic, as the API has signed it, notes that, and tells why. Under an id of its own each time: BullMQ
     * adds nothing where it keeps one of that id, as it does on a topic from which the slot was handed on before.
     */
    async forward(payload: JobPayload, topic: string, why = 'another dock can take it'): Promise<void> {
      const { jobId, slot, action, signed } = payload
      if (!signed) throw new TypeError('expected a job that came from a topic')
      const args = [slot, toldBy(keys, payload), dockOfTopic(topic) ?? '', JSON.stringify({ why })]
      const hop = Number(await runScript(redis, handOnScript, [keys.job(jobId), keys.jobEvents(jobId)], args))
      await handovers.put({ topic, name: action, data: signed, id: slotJobId(jobId, slot, hop) })
      await runScript(redis, handedOnScript, [keys.job(jobId)], [slot, topic, hop])
    },

    carryHandovers: () => handovers.carryHandovers(),

    ...outcomes,
    ...events,
    ...entriesOf(redis, keys, records, outcomes),
    ...cutShortOf(redis, keys, topics, records, outcomes),

    status,

    /** What a topic held (see payload.ts). */
    open: (data: unknown): Promise<JobPayload> => openJob(data, trust.vouch),

    /** A job's record to make another job of. Throws `job_not_found`, `bad_signature` where no API has written it. */
    own: async (id: string): Promise<JobRecord> => records.own(id, await readRecord(id)),

    /** Newest first, from before the job of the cursor on. */
    async list(limit: number, cursor?: string): Promise<{ items: JobStatus[]; nextCursor: string | null }> {
      const start = cursor === undefined ? 0 : await placeAfter(cursor)
      const ids = await redis.zrange(keys.jobs, String(start), String(start + limit), 'REV')
      // Of a page of large results nobody would see the end.
      const found = await Promise.all(ids.slice(0, limit).map((id) => ifReadable(id, status(id, 'small'))))
      const items = found.flatMap((job) => job ?? [])
      return { items, nextCursor: ids.length > limit ? (ids[limit - 1] ?? null) : null }
    },
  })

  /** The cursor's job may have been forgotten since: its id tells when it was accepted. */
  async function placeAfter(cursor: string): Promise<number> {
    const rank = await redis.zrevrank(keys.jobs, cursor)
    return rank === null ? redis.zcount(keys.jobs, timeOfJobId(cursor), '+inf') : rank + 1
  }

  async function slotStatus(
    record: JobRecord,
    slot: number,
    { topic, id }: SlotPlace,
    fields: RecordFields,
    results: 'all' | 'small',
  ): Promise<SlotStatus> {
    const known = fields[`slot:${slot}`]
    if (known !== undefined) {
      const undoneBy = fields[`undone:${slot}`]
      const outcome = { ...(JSON.parse(known) as SlotOutcome), ...(undoneBy !== undefined && { undoneBy }) }
      if (outcome.state !== 'completed' || outcome.result || results === 'small') return outcome
      // Its envelope was too large to be kept here.
      return { ...outcome, result: await outcomes.result(record, slot) }
    }
    if (!isTopic(topic)) throw new SyntaxError(`expected a topic, got ${preview(topic)}`)
    const job = await topics.queue(topic).getJob(id)
    const found = standing(slot, job, job ? await job.getState() : 'waiting')
    if (!isFinished(found)) {
      // BullMQ's record of one that waits names the dock that it was offered to last.
      const dock = found.state === 'active' ? job?.processedBy : undefined
      return unfinished(found, dock ?? dockOfTopic(topic), slot, fields)
    }
    return outcomes.settle(payloadOf(record, slot), { ...found, dock: found.dock ?? dockOfTopic(topic) })
  }
}

export const jobNotFound = (id: string): DebloxError =>
  new DebloxError(
    'job_not_found',
    `id: expected the id of a job that is waiting, active, or not long finished; got ${id}`,
  )

const keyReused = (key: string): DebloxError =>
  new DebloxError(
    'idempotency_key_reused',
    `Idempotency-Key: expected the same request as before under ${JSON.stringify(key)}, got another`,
  )

const knownIsGone = (key: string, id: string): DebloxError =>
  new DebloxError(
    'result_gone',
    `Idempotency-Key: expected the job of ${JSON.stringify(key)} to be kept still; ${id} was accepted, has ended, and has been removed by number`,
  )

/** For one that may have been removed meanwhile. */
export function unlessGone(error: unknown): null {
  if (error instanceof DebloxError && error.code === 'job_not_found') return null
  throw error
}
