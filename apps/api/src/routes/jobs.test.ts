import { DebloxError } from '@deblox/actions/errors'
import { type JobRecord, newJobId, payloadOf } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { completed, failed, recordOn } from '../../../../libs/fleet/src/testing/record'
import { take, token } from '../../../../libs/fleet/src/testing/taking'
import { useFleet } from '../../../../test/support/fleet-on-redis'
import { accessTo } from '../access'
import type { Admission } from '../admission'
import { type Asker, caller } from '../testing/desk-double'
import type { Desk } from '../submit'
import { Waiter } from '../wait'
import { jobRoutes } from './jobs'

const use = useFleet()
const jobs = () => use.fleet().jobs
const topics = ['dock-1', 'dock-2'].map(dockTopic)

interface Shown {
  id: string
  state: string
  actor: string
  retryOf: string | null
  error: { code: string } | null
}

/** What no route of jobs asks. */
const unused = { allowances: {}, quotas: {} } as Pick<Desk, 'allowances' | 'quotas'>

function desk(job: Admission['job'] = async () => {}) {
  const admission = { job } as Admission
  const { keys } = use.fleet()
  const waiter = new Waiter(jobs())
  const access = accessTo(use.fleet().index, async () => [])
  const routes = jobRoutes({ ...unused, fleet: use.fleet(), access, waiter, admission, replyTo: keys.replies('this') })
  const ask = async (path: string, fields: object, who: Asker = {}) => {
    const route = routes.find((one) => one.path === path)
    if (!route) throw new Error(`expected a route of ${path}, got none`)
    const { status, body, headers } = await route.handle({ ...fields }, caller(who))
    return {
      status,
      headers,
      job: (body as { job: Shown }).job,
      body: body as Shown & { items: Shown[]; nextCursor: string | null },
    }
  }
  return {
    cancel: (id: string, who?: Asker) => ask('/v1/jobs/:id/cancel', { id }, who),
    retry: (id: string, who?: Asker) => ask('/v1/jobs/:id/retry', { id }, who),
    show: (id: string, who?: Asker) => ask('/v1/jobs/:id', { id }, who),
    list: (who?: Asker, limit = 10, cursor?: string | null) =>
      ask('/v1/jobs', { limit, ...(cursor && { cursor }) }, who),
  }
}

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), { topics, numbered: true, ...more })
  await jobs().accept({ record })
  return record
}

/** A job of which one slot has completed and the other has failed. */
async function halfDone(): Promise<JobRecord> {
  const record = await accepted()
  await jobs().finish(payloadOf(record, 1), completed(1))
  await jobs().finish(payloadOf(record, 2), failed(2))
  for (const topic of topics) await use.fleet().topics.queue(topic).drain()
  return record
}

const onTopics = () => Promise.all(topics.map((topic) => use.fleet().topics.queue(topic).getJobCountByTypes('waiting')))

describe('a cancel', () => {
  test('of a job that waits answers how it has ended', async () => {
    const { id } = await accepted()
    expect(await desk().cancel(id)).toMatchObject({
      status: 200,
      job: { id, state: 'cancelled', error: { code: 'job_cancelled' } },
    })
  })

  test('of a job that is worked on answers where to look for its end', async () => {
    const { id } = await accepted()
    await take(use.fleet(), topics[0] as string)
    expect(await desk().cancel(id)).toMatchObject({
      status: 202,
      headers: { Location: `/v1/jobs/${id}` },
      job: { state: 'active' },
    })
  })

  test('waits for the end as long as its caller wants', async () => {
    const record = await accepted({ topics: topics.slice(0, 1) })
    const job = await take(use.fleet(), topics[0] as string)
    const answer = desk().cancel(record.id, { prefer: { waitMs: 10_000, applied: '' } })
    await jobs().finish(payloadOf(record, 1), { ...failed(), state: 'cancelled' })
    await job.moveToFailed(new Error('cancelled'), token, false)
    expect(await answer).toMatchObject({ status: 200, job: { state: 'cancelled' } })
  })

  test('of a job that has ended is refused', async () => {
    const { id } = await halfDone()
    await expect(desk().cancel(id)).rejects.toMatchObject({ code: 'job_finished', status: 409 })
  })
})

describe('a retry', () => {
  test('answers with the new job, and where to look for its end', async () => {
    const { id } = await halfDone()
    const answer = await desk().retry(id)
    expect(answer).toMatchObject({ status: 202, job: { state: 'active', retryOf: id } })
    expect(answer.headers).toEqual({ Location: `/v1/jobs/${answer.job.id}` })
    expect(await onTopics()).toEqual([0, 1])
  })

  test('with a key is one job, however often it is sent', async () => {
    const { id } = await halfDone()
    const key = { idempotencyKey: 'once' }
    const answers = await Promise.all([1, 2, 3].map(() => desk().retry(id, key)))
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
    expect(await onTopics()).toEqual([0, 1])
  })

  test('with a key whose job was not put on its topics finishes that', async () => {
    const { id } = await halfDone()
    const key = { idempotencyKey: 'once' }
    const first = await desk().retry(id, key)
    // As if its replica had died between the record and the topic.
    await use
      .fleet()
      .topics.queue(topics[1] as string)
      .obliterate({ force: true })
    expect((await desk().retry(id, key)).job.id).toBe(first.job.id)
    expect(await onTopics()).toEqual([0, 1])
  })

  test('with a key gives its job also when the one that it tries again is kept no longer', async () => {
    const { id } = await halfDone()
    const key = { idempotencyKey: 'once' }
    const first = await desk().retry(id, key)
    await use.redis().del(use.fleet().keys.job(id))
    expect((await desk().retry(id, key)).job.id).toBe(first.job.id)
  })

  test('with the key of another request is refused', async () => {
    const [one, other] = [await halfDone(), await halfDone()]
    const key = { idempotencyKey: 'once' }
    await desk().retry(one.id, key)
    await expect(desk().retry(other.id, key)).rejects.toMatchObject({ code: 'idempotency_key_reused' })
  })

  test('by somebody else is that one’s, and so is the key', async () => {
    const { id } = await halfDone()
    await desk().retry(id, { actor: 'ben', idempotencyKey: 'once' })
    const again = await halfDone()
    const answer = await desk().retry(again.id, { actor: 'anna', idempotencyKey: 'once' })
    expect(answer.job).toMatchObject({ actor: 'anna' })
    expect((await desk().list()).body.items.map(({ actor }) => actor)).toContain('ben')
  })

  test('for which there is no room is refused, and nothing is accepted', async () => {
    const { id } = await halfDone()
    const full = desk(() => Promise.reject(new DebloxError('too_many_jobs', 'full')))
    await expect(full.retry(id)).rejects.toMatchObject({ code: 'too_many_jobs' })
    expect(await onTopics()).toEqual([0, 0])
  })

  test('of a job that has completed, or not ended, is refused', async () => {
    const record = await accepted()
    await expect(desk().retry(record.id)).rejects.toMatchObject({ code: 'job_not_failed' })
    for (const slot of [1, 2]) await jobs().finish(payloadOf(record, slot), completed(slot))
    await expect(desk().retry(record.id)).rejects.toMatchObject({ code: 'job_not_failed' })
  })
})

test('a job is shown by itself and in the list, with why it waits', async () => {
  const { id } = await accepted({ topics: [dockTopic('dock-1')] })
  await use.fleet().docks.register('dock-1')
  const waits = { id, state: 'waiting', error: { code: 'host_unreachable' } }
  expect((await desk().show(id)).body).toMatchObject(waits)
  expect((await desk().list()).body.items).toMatchObject([waits])
})

test.each(['show', 'cancel', 'retry'] as const)('%s: an id that nobody gave out is not found', async (what) => {
  await expect(desk()[what](newJobId())).rejects.toMatchObject({ code: 'job_not_found' })
})

describe('for somebody who is no admin', () => {
  const ben: Asker = { actor: 'ben', role: 'deployer' }
  const tell = (failing: Promise<unknown>) => failing.catch(({ status, message }: DebloxError) => [status, message])

  test.each(['show', 'cancel', 'retry'] as const)(
    '%s: a foreign job is answered as one that is not there',
    async (what) => {
      const { id } = await halfDone()
      const hidden = await tell(desk()[what](id, ben))
      await use.redis().del(use.fleet().keys.job(id))
      expect(hidden).toEqual(await tell(desk()[what](id, ben)))
      expect(hidden).toEqual([404, expect.stringContaining(id)])
    },
  )

  test('the list has what he asked for and what was done to what is his, page by page', async () => {
    const [, own, about] = [
      await accepted(),
      await accepted({ actor: 'ben' }),
      await accepted({ owner: 'ben' }),
      await accepted({ owner: 'team:ops' }),
    ]
    const listed = async (who: Asker) => (await desk().list(who)).body.items.map(({ id }) => id)
    expect(await listed(ben)).toEqual([about.id, own.id])
    expect(await listed({ ...ben, identity: { subject: 'ben', teams: ['ops'], role: 'viewer' } })).toHaveLength(3)
    const first = await desk().list(ben, 1)
    expect(first.body.items.map(({ id }) => id)).toEqual([about.id])
    const second = await desk().list(ben, 1, first.body.nextCursor)
    expect(second.body.items.map(({ id }) => id)).toEqual([own.id])
  })

  test('what others ask of his container he cancels only if he could ask for it', async () => {
    const { id } = await accepted({ owner: 'ben' })
    await expect(desk().cancel(id, { ...ben, role: 'viewer' })).rejects.toMatchObject({ code: 'forbidden' })
    expect(await desk().cancel(id, { ...ben, role: 'operator' })).toMatchObject({ status: 200 })
  })

  test('what he has asked for he tries again only while he could ask for it', async () => {
    const { id } = await accepted({ actor: 'ben', action: 'create-container', params: { image: 'busybox' } })
    for (const slot of [1, 2]) await jobs().finish(payloadOf(await recordOf(id), slot), failed(slot))
    await expect(desk().retry(id, { ...ben, role: 'operator' })).rejects.toMatchObject({ code: 'forbidden' })
    expect(await desk().retry(id, ben)).toMatchObject({ job: { retryOf: id } })
  })
})

const recordOf = async (id: string): Promise<JobRecord> => (await jobs().status(id)).record
