import { DebloxError, type ErrorCode, errorTable } from '@deblox/actions/errors'
import { type JobError, type JobRecord, payloadOf, type SlotOutcome, slotJobId } from './job'
import { dockOfTopic, type FleetKeys } from './names'
import type { outcomesOf } from './outcomes'
import type { RecordFields, Records } from './records'
import { isRefusal, type RedisClient, redisErrorCode } from './redis'
import type { Topics } from './topics'

/**
 * Where the next part of all accepted jobs begins, in the order of their acceptance: with those of that time, in milliseconds
 * since 1970, but for so many that were looked at.
 */
export interface NextAccepted {
  from: number
  skip: number
}

export const firstAccepted: NextAccepted = { from: 0, skip: 0 }

/**
 * A job that was accepted less long ago may still be on its way to its topics, in milliseconds. Between the moment that its
 * record names and the last add the API sends its Redis about a dozen commands, one after another, and each that has no
 * answer after 800 ms has failed, and the acceptance with it (`fail-fast`): one that succeeds is over in a third of this time.
 * What comes later all the same, from a replica that stood still or a Redis that was slow, does no harm: a slot that has
 * ended is not begun (`begin`).
 */
const onItsWayMs = 30_000

/** So many jobs are looked at in a part, and of those that have not ended so many are read at a time. */
const atOnce = 500
const readAtOnce = 50

/** A slot has one of these in its job's hash from the moment on in which it has left its topic, or may have, in an ordinary way. */
const traces = ['slot', 'starts', 'begun', 'queued', 'hops', 'hop', 'topic'] as const

/** A slot of which nothing is known but that it was accepted. */
interface Untouched {
  record: JobRecord
  slot: number
  topic: string
  /** Why it was to be cancelled, if it was. */
  cancel: string | undefined
}

/**
 * Jobs whose acceptance was cut short: Redis has their record, and lacks some of their slots on their topics. Nobody was told
 * that they were accepted, and nobody else would end them before their deadline. Part of `jobsOf`.
 */
export function cutShortOf(
  redis: RedisClient,
  keys: FleetKeys,
  topics: Topics,
  records: Records,
  { finish }: Pick<ReturnType<typeof outcomesOf>, 'finish'>,
) {
  /** Those that have not ended and are not due: what is due, its deadline ends. */
  const inFlight = async (ids: string[], now: number): Promise<string[]> => {
    if (ids.length === 0) return []
    const due = await redis.zmscore(keys.deadlines, ...ids)
    return ids.filter((_, n) => Number(due[n] ?? 0) > now)
  }

  const ownOf = (id: string, fields: RecordFields): JobRecord | undefined => {
    try {
      return records.own(id, fields)
    } catch (error) {
      if (!(error instanceof DebloxError)) throw error
      return undefined
    }
  }

  /** A job with a key is put on its topics by whoever sends its request once more; what the API has not written is not its to end. */
  const untouched = (id: string, fields: RecordFields): Untouched[] => {
    if (fields['record'] === undefined || fields['keyed'] !== undefined) return []
    const record = ownOf(id, fields)
    if (!record) return []
    return record.topics.flatMap((topic, n) => {
      const isTouched = traces.some((trace) => `${trace}:${n + 1}` in fields)
      return isTouched ? [] : { record, slot: n + 1, topic, cancel: fields['cancel'] }
    })
  }

  /** The slots of these jobs that are not where they should be waiting. */
  const missing = async (ids: string[]): Promise<Untouched[]> => {
    const reading = redis.pipeline()
    for (const id of ids) reading.hgetall(keys.job(id))
    const found = (await repliesOf<RecordFields>(reading)).flatMap((fields, n) =>
      untouched(ids[n] as string, fields ?? {}),
    )
    if (found.length === 0) return []
    const looking = redis.pipeline()
    for (const { record, slot, topic } of found) looking.exists(topics.queue(topic).toKey(slotJobId(record.id, slot)))
    const there = await repliesOf<number>(looking)
    return found.filter((_, n) => there[n] === 0)
  }

  /** Answers whether it has ended by that. What is spoilt so that it cannot be ended keeps no other from its end. */
  const end = async ({ record, slot, topic, cancel }: Untouched, now: number): Promise<boolean> => {
    const ended = { slot, dock: dockOfTopic(topic), attempts: 0, startedAt: null, finishedAt: now, result: null }
    const how: Pick<SlotOutcome, 'state' | 'error'> =
      cancel === undefined
        ? { state: 'failed', error: failure('redis_unavailable', cutShort(topic)) }
        : { state: 'cancelled', error: failure('job_cancelled', cancel) }
    try {
      return (await finish(payloadOf(record, slot), { ...ended, ...how })) === 'recorded'
    } catch (error) {
      if (!isSpoilt(error)) throw error
      return false
    }
  }

  return {
    /**
     * Looks at the next part of the jobs that were accepted, and ends those of their slots that never came to their topics.
     * Answers how many it ended, and where the part after this one begins.
     */
    async endCutShort({ from, skip }: NextAccepted, now: number): Promise<{ ended: number; next: NextAccepted }> {
      const until = now - onItsWayMs
      const range = [String(from), String(until), 'BYSCORE', 'LIMIT', skip, atOnce, 'WITHSCORES'] as const
      const found = await redis.zrange(keys.jobs, ...range)
      const ids = found.filter((_, n) => n % 2 === 0)
      const open = await inFlight(ids, now)
      let ended = 0
      for (let n = 0; n < open.length; n += readAtOnce) {
        const slots = await missing(open.slice(n, n + readAtOnce))
        const ends = await Promise.all(slots.map((slot) => end(slot, now)))
        ended += ends.filter(Boolean).length
      }
      if (ids.length < atOnce) return { ended, next: { from: until + 1, skip: 0 } }
      const last = Number(found.at(-1))
      // Where all of a part are of one moment, the next part is of the same.
      return { ended, next: last > from ? { from: last, skip: 0 } : { from, skip: skip + atOnce } }
    },
  }
}

const cutShort = (topic: string): string =>
  `expected it to be on ${topic}, got nothing there: its acceptance was cut short, and whoever sent it was told that it ` +
  'was refused, if anything; it was never begun: retry it'

const failure = (code: ErrorCode, message: string): JobError => ({ code, status: errorTable[code].status, message })

/** The replies to the commands of a pipeline; undefined where what stands there is of another type. */
async function repliesOf<T>(pipeline: ReturnType<RedisClient['pipeline']>): Promise<(T | undefined)[]> {
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, reply]) => {
    if (error && !isSpoilt(error)) throw error
    return error ? undefined : (reply as T)
  })
}

/** Redis has answered that it cannot be done with what stands there: it could not be later either. */
const isSpoilt = (error: unknown): boolean => redisErrorCode(error) !== undefined && !isRefusal(error)
