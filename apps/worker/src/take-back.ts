import type { TopicQueue } from '@deblox/fleet/topics'

/** A token that BullMQ takes from whoever may move a job without holding its lock. */
const noLock = '0'

/** A job that has been started so often may be what killed its workers: BullMQ's own check counts that, and gives it up. */
const maxStarted = 3

/**
 * Puts what a dead worker had taken from this topic back to its front, in the order in which it was taken. To be called
 * before the topic's only worker takes jobs: BullMQ itself would find these stalled seconds later, when younger jobs of
 * the same containers have run, and return them in no order.
 */
export async function takeBack(queue: TopicQueue): Promise<void> {
  const oldestFirst = await queue.getActive()
  for (const job of oldestFirst.toReversed()) {
    // One that has ended just now, by the hand of a worker that was not dead, is not moved.
    if (job.attemptsStarted < maxStarted) await job.moveToWait(noLock).catch(() => undefined)
  }
}
