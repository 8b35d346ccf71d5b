import type { Fleet } from '@deblox/fleet/fleet'
import { viewJob } from '@deblox/fleet/job'
import Joi from 'joi'
import { pageFields } from '../page'
import type { Route } from '../route'

const jobId = Joi.string()
  .guid({ version: 'uuidv7' })
  .messages({ 'string.guid': 'expected the id of a job, a UUID' })
  .description('The id of a job')

/** Jobs as people ask for them: what was accepted, how it stands, how it ended. */
export function jobRoutes({ jobs }: Fleet): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/jobs',
      tag: 'jobs',
      summary: 'List the latest jobs, newest first',
      request: Joi.object({ ...pageFields, cursor: jobId.description('The `nextCursor` of the page before') }),
      answers: { 200: 'Jobs, and where the next page begins' },
      handle: async ({ limit, cursor }) => ({
        status: 200,
        body: await jobs.list(limit as number, cursor as string | undefined),
      }),
    },
    {
      method: 'GET',
      path: '/v1/jobs/:id',
      tag: 'jobs',
      summary: 'Show one job: its state, its slots, its result',
      request: Joi.object({ id: jobId.required() }),
      answers: { 200: 'The job' },
      async handle({ id }) {
        const { record, slots } = await jobs.status(id as string)
        return { status: 200, body: viewJob(record, slots) }
      },
    },
  ]
}
