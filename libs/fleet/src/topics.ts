import { DebloxError } from '@deblox/actions/errors'
import { Queue } from 'bullmq'
import type { SignedJob, SlotResult } from './job'
import { counts, times } from './names'
import type { RedisClient } from './redis'

/**
 * What a slot's BullMQ job returns: its result, that this is too large to be kept there, the topic that it was handed on to,
 * or that it had ended before.
 */
export type SlotReturn = SlotResult | { kept: 'elsewhere' } | { forwardedTo: string } | { endedBefore: true }

export type TopicQueue = Queue<SignedJob, SlotReturn>

export type Topics = ReturnType<typeof topicsOf>

/** How many ended jobs BullMQ keeps on a topic, and for how long, in seconds. */
export const keptByBullMQ = {
  removeOnComplete: { age: times.finishedJob / 1000, count: counts.finishedJobsPerTopic },
  removeOnFail: { age: times.finishedJob / 1000, count: counts.failedJobsPerTopic },
}

/** The topics' queues, opened on first use over one shared connection. */
export function topicsOf(redis: RedisClient, prefix: string) {
  const open = new Map<string, TopicQueue>()
  return {
    /** Throws `redis_unavailable` where Redis is away and the client is not one that waits for it. */
    queue(topic: string): TopicQueue {
      // BullMQ would keep what it is asked, and do it when its caller has long been told "no".
      const waits = redis.options.enableOfflineQueue !== false
      if (redis.status !== 'ready' && !waits) throw new DebloxError('redis_unavailable', 'expected Redis to be there')
      const known = open.get(topic)
      if (known) return known
      const queue: TopicQueue = new Queue(topic, {
        connection: redis,
        prefix,
        defaultJobOptions: keptByBullMQ,
        streams: { events: { maxLen: counts.eventsPerTopic } },
      })
      // The shared connection's own listener reports its errors; without one here each queue would throw them.
      queue.on('error', () => {})
      open.set(topic, queue)
      return queue
    },

    /** Forgets a topic's queue object; the topic itself stays as it is. */
    async close(): Promise<void> {
      await Promise.all([...open.values()].map((queue) => queue.close()))
      open.clear()
    },
  }
}
