import { DebloxError } from '@deblox/actions/errors'
import { newJobId, payloadOf } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { completed, failed } from '../../../../libs/fleet/src/testing/record'
import { take, token } from '../../../../libs/fleet/src/testing/taking'
import { topics, useJobsDesk } from '../../../../test/support/jobs-desk'

const { use, jobs, desk, accepted, halfDone, onTopics } = useJobsDesk()

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
