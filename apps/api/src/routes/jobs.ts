import type { Identity } from '@deblox/actions/access/identity'
import type { Permission } from '@deblox/actions/access/policies'
import { isFinished } from '@deblox/fleet/job'
import { viewJob } from '@deblox/fleet/job-view'
import { jobNotFound, type JobStatus } from '@deblox/fleet/jobs'
import Joi from 'joi'
import { isHisJob, requireUse } from '../access'
import { again } from '../again'
import { pageFields } from '../page'
import type { Answer, Caller, Route } from '../route'
import { withStandstill } from '../standstill'
import type { Desk } from '../submit'

const jobId = Joi.string()
  .guid({ version: 'uuidv7' })
  .messages({ 'string.guid': 'expected the id of a job, a UUID' })
  .description('The id of a job')

/** Jobs as people ask for them: what was accepted, how it stands, how it ended, and how to end it or try it again. */
export function jobRoutes(desk: Desk): Route[] {
  const { fleet, waiter } = desk
  const { jobs, endings } = fleet

  const view = async (found: JobStatus[]) =>
    (await withStandstill(fleet, found)).map(({ record, slots }) => viewJob(record, slots))

  /** Somebody else's job is answered as one that is not there. */
  const hisJob = async (id: string, { identity, about }: Caller): Promise<JobStatus> => {
    about.job = id
    const found = await jobs.status(id)
    if (!isHisJob(identity, found.record)) throw jobNotFound(id)
    return found
  }

  /** A page of those that are his; of a fleet with very many of others' jobs it may hold fewer than asked for. */
  const hisJobs = async (identity: Identity, limit: number, from: string | undefined) => {
    const items: JobStatus[] = []
    let nextCursor: string | null = from ?? null
    for (let page = 0; page < maxPages; page++) {
      const listed = await jobs.list(limit, nextCursor ?? undefined)
      items.push(...listed.items.filter(({ record }) => isHisJob(identity, record)))
      nextCursor = listed.nextCursor
      if (items.length > limit) return { items: items.slice(0, limit), nextCursor: items[limit - 1]?.record.id ?? null }
      if (nextCursor === null || items.length === limit) break
    }
    return { items, nextCursor }
  }

  /** How the job stands when it has ended, or when the caller does not want to wait any longer. */
  const answered = async (id: string, { prefer, gone }: Caller): Promise<Answer> => {
    await waiter.follow(id, prefer.waitMs, gone)
    const found = await jobs.status(id)
    const [job] = await view([found])
    if (found.slots.every(isFinished)) return { status: 200, body: { job } }
    return { status: 202, body: { job }, headers: { Location: `/v1/jobs/${id}` } }
  }

  return [
    {
      method: 'GET',
      path: '/v1/jobs',
      tag: 'jobs',
      summary: 'List the latest jobs, newest first',
      request: Joi.object({ ...pageFields, cursor: jobId.description('The `nextCursor` of the page before') }),
      answers: { 200: 'Jobs, and where the next page begins' },
      async handle({ limit, cursor }, { identity }) {
        const { items, nextCursor } = await hisJobs(identity, limit as number, cursor as string | undefined)
        return { status: 200, body: { items: await view(items), nextCursor } }
      },
    },
    {
      method: 'GET',
      path: '/v1/jobs/:id',
      tag: 'jobs',
      summary: 'Show one job: its state, its slots, its result',
      request: Joi.object({ id: jobId.required() }),
      answers: { 200: 'The job' },
      async handle({ id }, caller) {
        const [job] = await view([await hisJob(id as string, caller)])
        return { status: 200, body: job }
      },
    },
    {
      method: 'POST',
      path: '/v1/jobs/:id/cancel',
      tag: 'jobs',
      summary: 'Cancel a job: at once while it waits, and soon while it is worked on',
      request: Joi.object({ id: jobId.required() }),
      answers: { 200: 'The job, which has ended', 202: 'The dock that works on it is told; it has not ended yet' },
      async handle({ id }, caller) {
        const { identity } = caller
        const { record } = await hisJob(id as string, caller)
        // What others have asked for is ended by whoever could have asked for it.
        if (record.actor !== identity.subject) requireUse(identity, record.action as Permission)
        await endings.cancel(id as string)
        return answered(id as string, caller)
      },
    },
    {
      method: 'POST',
      path: '/v1/jobs/:id/retry',
      tag: 'jobs',
      summary: 'Try a job that did not complete again, as a new job: only what is missing is done',
      request: Joi.object({ id: jobId.required() }),
      answers: { 200: 'The new job, which has ended', 202: 'The new job, which has not ended yet' },
      async handle({ id }, caller) {
        return answered(await again(desk, id as string, caller, hisJob), caller)
      },
    },
  ]
}

/** Of others' jobs so many pages are looked through for one of somebody's own. */
const maxPages = 20
