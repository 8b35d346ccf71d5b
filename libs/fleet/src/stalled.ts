import type { Fleet } from './fleet'
import { mendActive } from './mend'

type TopicsOf = Pick<Fleet, 'redis' | 'prefix' | 'topics'>

/** A token that BullMQ takes from whoever may move a job without holding its lock. */
const noLock = '0'

/** A job that was taken so often is left to BullMQ's own check, which counts, and gives it up at last. */
const maxTaken = 20

/**
 * Puts what a dead worker had taken from a topic back to its front, in the order in which it was taken. To be called
 * before the topic's only worker takes jobs: BullMQ itself would find these stalled seconds later, when younger jobs of
 * the same containers have run, and return them in no order.
 */
export async function takeBack(fleet: TopicsOf, topic: string, held: ReadonlySet<string> = new Set()): Promise<void> {
  await mendActive(fleet, topic)
  const oldestLast = await active(fleet, topic)
  for (const id of oldestLast.filter((one) => !held.has(one))) {
    // One whose record cannot be read is left to BullMQ. One that has ended just now, by the hand of a worker that was
    // not dead, is not moved.
    const job = await fleet.topics
      .queue(topic)
      .getJob(id)
      .catch(() => undefined)
    if (job && job.attemptsStarted < maxTaken) await job.moveToWait(noLock).catch(() => undefined)
  }
}

/**
 * The same for a topic whose worker does not come back: with it dead nobody looks there. What still has its lock is left
 * alone, because its worker may be cut off from this side only.
 */
export async function freeStalled(fleet: TopicsOf, topic: string): Promise<void> {
  const ids = await active(fleet, topic)
  if (ids.length === 0) return
  const locks = fleet.redis.pipeline()
  for (const id of ids) locks.exists(`${fleet.prefix}:${topic}:${id}:lock`)
  const held = new Set<string>()
  for (const [n, [error, exists]] of ((await locks.exec()) ?? []).entries()) {
    if (error) throw error
    if (exists === 1) held.add(ids[n] as string)
  }
  await takeBack(fleet, topic, held)
}

/** What was taken from a topic and has not ended, the one taken last first. */
const active = ({ redis, prefix }: TopicsOf, topic: string): Promise<string[]> =>
  redis.lrange(`${prefix}:${topic}:active`, 0, -1)
