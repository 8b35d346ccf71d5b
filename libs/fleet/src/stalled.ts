import { randomUUID } from 'node:crypto'
import type { Job } from 'bullmq'
import type { Fleet } from './fleet'
import type { SignedJob } from './job'
import { mendActive } from './mend'
import type { SlotReturn } from './topics'

type SlotJob = Job<SignedJob, SlotReturn>

type TopicsOf = Pick<Fleet, 'redis' | 'prefix' | 'topics'>

/** A token that BullMQ takes from whoever may move a job without holding its lock. */
const noLock = '0'

/** A job that was taken so often is left to BullMQ's own check, which counts, and gives it up at last. */
const maxTaken = 20

/** Whoever puts a job back for others holds its lock for so long at the most, in milliseconds. */
const lockMs = 5_000

/**
 * Puts what a dead worker had taken from a topic back to its front, in the order in which it was taken. To be called
 * before the topic's only worker takes jobs: BullMQ itself would find these stalled seconds later, when younger jobs of
 * the same containers have run, and return them in no order.
 */
export async function takeBack(fleet: TopicsOf, topic: string): Promise<void> {
  await mendActive(fleet, topic)
  for (const id of await active(fleet, topic)) {
    const job = await movable(fleet, topic, id)
    await job?.moveToWait(noLock).catch(() => undefined)
  }
}

/**
 * The same for a topic whose worker does not come back: with it dead nobody looks there. What has its lock is left alone,
 * because its worker may be cut off from this side only, or may have taken it this moment.
 */
export async function freeStalled(fleet: TopicsOf, topic: string): Promise<void> {
  const { redis } = fleet
  const ids = await active(fleet, topic)
  if (ids.length === 0) return
  const lockOf = (id: string): string => `${fleet.prefix}:${topic}:${id}:lock`
  const locks = redis.pipeline()
  for (const id of ids) locks.exists(lockOf(id))
  const free: string[] = []
  for (const [n, [error, exists]] of ((await locks.exec()) ?? []).entries()) {
    if (error) throw error
    if (exists === 0) free.push(ids[n] as string)
  }
  if (free.length === 0) return
  await mendActive(fleet, topic)
  for (const id of free) {
    const job = await movable(fleet, topic, id)
    const token = randomUUID()
    // It may have been put back and taken again since it was looked at.
    const isStillFree = job && (await redis.set(lockOf(id), token, 'PX', lockMs, 'NX'))
    // The lock goes with the move, or by itself.
    if (isStillFree) await job.moveToWait(token).catch(() => undefined)
  }
}

/** One whose record cannot be read is left to BullMQ. One that has ended just now, by a worker that was not dead, does not move. */
async function movable({ topics }: TopicsOf, topic: string, id: string): Promise<SlotJob | undefined> {
  const job = await topics
    .queue(topic)
    .getJob(id)
    .catch(() => undefined)
  return job && job.attemptsStarted < maxTaken ? job : undefined
}

/** What was taken from a topic and has not ended, the one taken last first. */
const active = ({ redis, prefix }: TopicsOf, topic: string): Promise<string[]> =>
  redis.lrange(`${prefix}:${topic}:active`, 0, -1)
