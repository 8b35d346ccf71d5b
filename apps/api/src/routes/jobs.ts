import type { Identity } from '@deblox/actions/access/identity'
import { type Permission, policyOf } from '@deblox/actions/access/policies'
import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import { isFinished, type JobRecord } from '@deblox/fleet/job'
import { viewJob } from '@deblox/fleet/job-view'
import { jobNotFound, type JobStatus } from '@deblox/fleet/jobs'
import type { Retry } from '@deblox/fleet/retry'
import Joi from 'joi'
import { type Access, isHisJob, requireUse } from '../access'
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

  /** Somebody else's job is answered as one that is not there. */
  const hisJob = async (id: string, { identity, about }: Caller): Promise<JobStatus> => {
    about.job = id
    const found = await jobs.status(id)
    if (!isHisJob(identity, found.record)) throw jobNotFound(id)
    about.permission = found.record.action as Permission
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

/** Accepts the job that tries another one again, for somebody who could ask for it himself; answers its id. */
async function again(
  { fleet, access, admission, replyTo }: Desk,
  id: string,
  caller: Caller,
  find: (id: string, caller: Caller) => Promise<JobStatus>,
): Promise<string> {
  const { jobs, endings, clock } = fleet
  const { identity, idempotencyKey: key } = caller
  const actor = identity.subject
  const idempotency = key === undefined ? undefined : { key, payload: canonicalJson({ retry: id }) }
  const accepted = async (): Promise<string | undefined> => {
    const earlier = idempotency && (await jobs.recall(actor, idempotency))
    // The replica that accepted it may have died before it was on its topics.
    return earlier ? (await jobs.accept({ record: earlier, idempotency })).record.id : undefined
  }
  const before = await accepted()
  if (before !== undefined) return before
  const { record: old } = await find(id, caller)
  const right = await rightAgain(access, old, caller)
  let retry: Retry
  try {
    retry = await endings.again(id, replyTo, clock.now())
  } catch (error) {
    // The same request may have been here at the same moment.
    const since = await accepted()
    if (since !== undefined) return since
    throw error
  }
  const { record, ended } = retry
  const { owner, topics, params } = record
  await admission.job({ owner, topics, size: JSON.stringify(params).length })
  // A key belongs to whoever sends it, and that may be somebody else than before.
  const submission = { record: { ...record, actor, identity, ...right }, ended, ...(idempotency && { idempotency }) }
  return (await jobs.accept(submission)).record.id
}

/** What the caller's right to a job rests on, now that he asks for it. */
async function rightAgain(
  access: Access,
  { action: name, params, owner, actor, given: before }: JobRecord,
  { identity }: Caller,
): Promise<Pick<JobRecord, 'owner' | 'given' | 'view'>> {
  const permission = name as Permission
  if (findAction(name)?.target !== 'container') {
    requireUse(identity, permission)
    const view = policyOf(permission).reach === 'own' ? await access.view(identity) : undefined
    return { owner, given: undefined, view }
  }
  try {
    const { row, given } = await access.container(identity, permission, params['id'] as string)
    return { owner: row.owner ?? identity.subject, given, view: undefined }
  } catch (error) {
    const isGone = error instanceof DebloxError && error.code === 'container_not_found'
    if (!isGone || (identity.role !== 'admin' && actor !== identity.subject)) throw error
    // The job may have done its work: then the dock says so, and looks itself at what his right rested on.
    requireUse(identity, permission)
    return { owner, given: before, view: undefined }
  }
}
