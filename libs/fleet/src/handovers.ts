import { type FleetKeys, isTopic } from './names'
import { redisErrorCode, type RedisClient } from './redis'
import type { TopicQueue, Topics } from './topics'

/** What is to be put on a topic. */
export interface Handover {
  topic: string
  name: string
  data: Parameters<TopicQueue['add']>[1]
  id: string
}

/** So many are put on their topics at a time. */
const atOnce = 500

/** Puts slots on topics, also on those to which the user of this Redis connection may not write. Part of `jobsOf`. */
export function handoversOf(redis: RedisClient, keys: FleetKeys, topics: Topics) {
  const add = ({ topic, name, data, id }: Handover): Promise<unknown> =>
    topics.queue(topic).add(name, data, { jobId: id })

  return {
    /** Puts it there, or leaves it to an API replica where a dock's user may not write to another dock's topic. */
    async put(handover: Handover): Promise<void> {
      try {
        await add(handover)
      } catch (error) {
        if (redisErrorCode(error) !== 'NOPERM') throw error
        await redis.sadd(keys.handovers, JSON.stringify(handover))
      }
    },

    /**
     * Puts on their topics what workers could not. As it is: whoever can write to Redis can write here, and nothing is made,
     * or signed, of what stands there.
     */
    async carryHandovers(): Promise<void> {
      for (const text of (await redis.srandmember(keys.handovers, atOnce)) ?? []) {
        const handover = parse(text)
        if (handover) await add(handover)
        await redis.srem(keys.handovers, text)
      }
    },
  }
}

/** Null for what no worker has written: it must not make queues of any name. */
function parse(text: string): Handover | null {
  try {
    const { topic, name, data, id } = JSON.parse(text) as Handover
    const isOurs = [topic, name, id].every((part) => typeof part === 'string') && typeof data === 'object'
    return isOurs && isTopic(topic) && /^[0-9a-f-]{36}(\.\d{1,9}){1,2}$/.test(id) ? { topic, name, data, id } : null
  } catch {
    return null
  }
}
