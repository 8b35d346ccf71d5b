import { isFinished, viewJob } from '@deblox/fleet/job'
import type { JobStatus } from '@deblox/fleet/jobs'
import Joi from 'joi'
import { canonicalJson } from '../canonical-json'
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
      async handle({ limit, cursor }) {
        const { items, nextCursor } = await jobs.list(limit as number, cursor as string | undefined)
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
      async handle({ id }) {
        const [job] = await view([await jobs.status(id as string)])
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
        return answered(await again(desk, id as string, caller), caller)
      },
    },
  ]
}

/** Accepts the job that tries another one again; answers its id. */
async function again({ fleet, admission, replyTo }: Desk, id: string, caller: Caller): Promise<string> {
  const { jobs, endings } = fleet
  const { actor, idempotencyKey: key } = caller
  const idempotency = key === undefined ? undefined : { key, payload: canonicalJson({ retry: id }) }
  const earlier = idempotency && (await jobs.recall(actor, idempotency))
  // The replica that accepted it may have died before it was on its topics.
  if (earlier) return (await jobs.accept({ record: earlier, idempotency })).record.id
  const { record, ended } = await endings.again(id, replyTo, fleet.clock.now())
  const { owner, topics, params } = record
  await admission.job({ owner, topics, size: JSON.stringify(params).length })
  // A key belongs to whoever sends it, and that may be somebody else than before.
  const accepted = await jobs.accept({ record: { ...record, actor }, ended, ...(idempotency && { idempotency }) })
  return accepted.record.id
}
