import { type Job, Worker } from 'bullmq'
import type { Fleet } from '../fleet'
import { type JobPayload, type JobRecord, payloadOf, type SignedJob } from '../job'
import { dockOfTopic } from '../names'
import { parsePayload, signJob } from '../payload'
import type { SlotReturn } from '../topics'
import { testKeys } from './keys'

type OnTopics = Pick<Fleet, 'redis' | 'prefix'>

/** Under which jobs are taken here by hand. */
export const token = 'by-hand'

/** Takes jobs from a topic as a worker does, until so many of them have ended. */
export async function working(
  { redis, prefix }: OnTopics,
  topic: string,
  run: (job: { data: JobPayload }) => Promise<SlotReturn>,
  count = 1,
): Promise<void> {
  const worker = new Worker<SignedJob, SlotReturn>(topic, (job) => run({ data: payloadIn(job) }), {
    connection: redis,
    prefix,
  })
  await new Promise<void>((resolve) => {
    let ended = 0
    const end = () => ++ended === count && resolve()
    worker.on('completed', end).on('failed', end)
  })
  await worker.close()
}

/** Takes the next job of a topic by hand, under a lock that nobody renews: it is worked on until the test says how it ends. */
export async function take(
  { redis, prefix }: OnTopics,
  topic: string,
  dock = dockOfTopic(topic) ?? 'dock-1',
): Promise<Job<SignedJob, SlotReturn>> {
  const worker = new Worker<SignedJob, SlotReturn>(topic, undefined, {
    connection: redis,
    prefix,
    name: dock,
    autorun: false,
  })
  const job = await worker.getNextJob(token, { block: false })
  await worker.close()
  if (!job) throw new Error(`expected a job on ${topic}, got none`)
  return job
}

/** What remains of a taken job when its worker dies: nobody renews its lock, and in the end it has none. */
export const loseLock = ({ redis, prefix }: OnTopics, topic: string, { id }: Job): Promise<number> =>
  redis.del(`${prefix}:${topic}:${id}:lock`)

/** What a topic's job tells its worker. */
export const payloadIn = ({ data }: { data: SignedJob }): JobPayload => ({ ...parsePayload(data.body), signed: data })

/** One slot of a job, as whoever takes it from its topic has it. */
export function takenOf(record: JobRecord, slot: number): JobPayload {
  const payload = payloadOf(record, slot)
  return { ...payload, signed: signJob(payload, testKeys) }
}
