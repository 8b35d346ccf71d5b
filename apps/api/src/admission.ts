import { DebloxError } from '@deblox/actions/errors'
import type { Limits } from '@deblox/fleet/limits'
import type { MemoryWatch } from '@deblox/fleet/memory'

/** Decides whether there is room for what a request would put into Redis. */
export interface Admission {
  /**
   * To be asked right before a job is accepted: whose it is, the topic of each slot, and how many characters of JSON each
   * carries. Throws `too_many_jobs` or `redis_full`.
   */
  job(demand: { owner: string; topics: string[]; size: number }): Promise<void>
  /** To be asked before a template of so many characters is stored. Throws `redis_full`. */
  template(size: number): Promise<void>
}

/** `onRefused` is told which limit was reached. */
export function admissionOf(limits: Limits, memory: MemoryWatch, onRefused: (limit: string) => void): Admission {
  const counted = async (...questions: Promise<void>[]): Promise<void> => {
    try {
      await Promise.all(questions)
    } catch (error) {
      const limit = error instanceof DebloxError ? error.details['limit'] : undefined
      if (typeof limit === 'string') onRefused(limit)
      throw error
    }
  }
  return {
    job: ({ owner, topics, size }) =>
      counted(memory.requireRoom({ slots: topics.length, size }), limits.check({ owner, topics })),
    template: (size) => counted(memory.requireRoom({ slots: 1, size })),
  }
}
