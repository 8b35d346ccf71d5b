import { DebloxError } from '@deblox/actions/errors'
import { viewJob } from './job-view'
import type { JobStatus } from './jobs'
import { redisErrorCode } from './redis'

/**
 * A job for a list, or null where it has been removed meanwhile, or what stands in Redis is no job that could be shown: any
 * dock's user may write there, and one job must not keep all others from being listed. Rejects where Redis is away.
 */
export async function ifReadable(id: string, reading: Promise<JobStatus>): Promise<JobStatus | null> {
  try {
    const found = await reading
    return viewJob(found.record, found.slots).id === id ? found : null
  } catch (error) {
    if (isAboutTheJob(error)) return null
    throw error
  }
}

const isAboutTheJob = (error: unknown): boolean =>
  error instanceof DebloxError
    ? error.code === 'job_not_found'
    : error instanceof SyntaxError ||
      error instanceof TypeError ||
      error instanceof RangeError ||
      ['WRONGTYPE', 'ERR'].includes(redisErrorCode(error) ?? '')
