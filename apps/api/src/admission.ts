import { DebloxError } from '@deblox/actions/errors'
import type { Limits } from '@deblox/fleet/limits'
import type { MemoryWatch } from '@deblox/fleet/memory'

export interface JobDemand {
  actor: string
  topics: string[]
  size: number
  most?: number
}

/** Decides whether there is room for what a request would put into Redis. */
export interface Admission {
  /**
   * To be asked right before a job is accepted: who asks, the topic of each slot, how many characters of JSON each
   * carries, and how many jobs he may have that have not ended. Throws `too_many_jobs` or `redis_full`.
   */
  job(demand: JobDemand): Promise<void>
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
    job: ({ size, ...asked }) => counted(memory.requireRoom({ slots: asked.topics.length, size }), limits.check(asked)),
    template: (size) => counted(memory.requireRoom({ slots: 1, size })),
  }
}
