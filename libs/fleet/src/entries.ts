import { type JobRecord, payloadOf, type SlotOutcome, slotJobId } from './job'
import type { FleetKeys } from './names'
import type { outcomesOf } from './outcomes'
import type { RecordFields, Records } from './records'
import type { RedisClient } from './redis'

/** The topic on which a slot is, and its id there. */
export interface SlotPlace {
  topic: string
  id: string
}

/** Where a slot of a job is now, by its record. */
export const placeOf = ({ id, topics }: JobRecord, slot: number, fields: RecordFields): SlotPlace => ({
  topic: fields[`topic:${slot}`] ?? topics[slot - 1] ?? '',
  id: slotJobId(id, slot, Number(fields[`hop:${slot}`] ?? 0)),
})

/** What an entry of a topic is to the job that it names. */
export interface Entry {
  /** It is where the job's record says that the slot is: without it nothing will be done. */
  isPlace: boolean
  /** The slot has ended. */
  ended: boolean
}

/**
 * Entries of topics, and what they are to the jobs that they name: whoever can write to Redis can name any job, and what
 * becomes of his entry must not be taken for the job's own outcome.
 */
export function entriesOf(
  redis: RedisClient,
  keys: FleetKeys,
  records: Records,
  { finish }: Pick<ReturnType<typeof outcomesOf>, 'finish'>,
) {
  const find = async ({ topic, id }: SlotPlace): Promise<Entry & { record?: JobRecord; slot: number }> => {
    const [, jobId = '', number = ''] = /^([0-9a-f-]{36})\.(\d{1,4})(?:\.\d{1,9})?$/.exec(id) ?? []
    const slot = Number(number)
    const fields = jobId === '' ? {} : await redis.hgetall(keys.job(jobId))
    const record = records.readable(fields)
    if (!record) return { isPlace: false, ended: false, slot }
    const place = placeOf(record, slot, fields)
    return { record, slot, isPlace: place.topic === topic && place.id === id, ended: `slot:${slot}` in fields }
  }

  return {
    /** What an entry is to its job. */
    async entry(place: SlotPlace): Promise<Entry> {
      const { isPlace, ended } = await find(place)
      return { isPlace, ended }
    },

    /** Records how an entry ended as the outcome of its slot, where it was that slot's only one. */
    async settleEntry(place: SlotPlace, outcome: Omit<SlotOutcome, 'slot'>): Promise<void> {
      const { record, slot, isPlace, ended } = await find(place)
      if (record && isPlace && !ended) await finish(payloadOf(record, slot), { ...outcome, slot })
    },
  }
}
