import { useFleet } from '../../../test/support/fleet-on-redis'
import { endingsOf } from './endings'
import { isFinished, type JobRecord, newJobId, payloadOf, type SlotOutcome } from './job'
import type { Jobs } from './jobs'
import { clusterTopic, dockTopic } from './names'
import { failed, made, recordOn } from './testing/record'
import { payloadIn, take, takenOf, token } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const endings = () => use.fleet().endings
const topics = ['dock-1', 'dock-2', 'dock-3'].map(dockTopic)
const replyTo = () => use.fleet().keys.replies('other')

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), {
    action: 'create-container',
    params: { image: 'busybox', name: 'web' },
    numbered: true,
    topics,
    ...more,
  })
  await jobs().accept({ record })
  return record
}

async function finished(record: JobRecord, ...outcomes: SlotOutcome[]): Promise<void> {
  for (const outcome of outcomes) {
    await jobs().finish(payloadOf(record, outcome.slot), outcome)
    const container = outcome.result?.container
    // As its dock's worker tells the index.
    if (container) await use.redis().hset(use.fleet().keys.containers(outcome.dock ?? ''), container.id, '{}')
  }
}

/** Tries it again, and accepts that. */
async function again({ id }: JobRecord): Promise<JobRecord> {
  const { record, ended } = await endings().again(id, replyTo(), Date.now())
  await jobs().accept({ record, ended })
  return record
}

const slotsOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots
const waiting = () => Promise.all(topics.map((topic) => use.fleet().topics.queue(topic).getJobCountByTypes('waiting')))

describe('a job that is tried again', () => {
  test('is a job of its own, in which only what is missing waits, where it was before', async () => {
    const record = await accepted()
    await finished(record, made(1), failed(2), made(3))
    for (const topic of topics) await use.fleet().topics.queue(topic).drain()

    const next = await again(record)
    expect(next).toMatchObject({ retryOf: record.id, origin: record.id, replyTo: replyTo(), params: record.params })
    expect(next.id).not.toBe(record.id)
    expect(await waiting()).toEqual([0, 1, 0])
    expect(await slotsOf(next)).toMatchObject([
      { state: 'completed', result: { container: { id: '1'.repeat(64) } } },
      { state: 'waiting', dock: 'dock-2' },
      { state: 'completed' },
    ])
    expect((await take(use.fleet(), topics[1] as string)).data).toEqual(takenOf(next, 2).signed)
    await finished(next, made(2))
    expect((await slotsOf(next)).every(isFinished)).toBe(true)
    expect((await slotsOf(record)).map(({ state }) => state)).toEqual(['completed', 'failed', 'completed'])
  })

  test('makes again what was deleted since', async () => {
    const record = await accepted()
    await finished(record, made(1), failed(2), made(3))
    await use.redis().del(use.fleet().keys.containers(made(3).dock ?? ''))
    const next = await again(record)
    expect((await slotsOf(next))[2]).toMatchObject({ state: 'waiting' })
  })

  test('is tried again once: further tries are those of the retry, which has what it made', async () => {
    const record = await accepted()
    await finished(record, made(1), failed(2), made(3))
    const next = await again(record)
    await expect(again(record)).rejects.toMatchObject({ code: 'job_not_failed', details: { retry: next.id } })
    await finished(next, failed(2))
    expect(await again(next)).toMatchObject({ retryOf: next.id, origin: record.id })
  })

  test('is still to be tried again where that was cut short before the retry was accepted', async () => {
    const record = await accepted()
    await finished(record, failed(1), failed(2), failed(3))
    const first = await endings().again(record.id, replyTo(), Date.now())
    const second = await again(record)
    expect(second.id).toBe(first.record.id)
  })

  test('and again acts as the first one: what any of them made is found', async () => {
    const first = await accepted({ topics: [topics[0] as string] })
    await finished(first, failed(1))
    const second = await again(first)
    await finished(second, failed(1))
    await expect(again(second)).resolves.toMatchObject({ retryOf: second.id, origin: first.id })
  })

  test('has as much time as the first one had', async () => {
    const acceptedAt = Date.now() - 50_000
    const record = await accepted({ acceptedAt, expiresAt: acceptedAt + 60_000 })
    await finished(record, failed(1), failed(2), failed(3))
    const next = await again(record)
    expect((next.expiresAt ?? 0) - next.acceptedAt).toBe(60_000)
  })

  test('waits where its slot was handed on to', async () => {
    const record = await accepted({ topics: [topics[0] as string], dealt: true })
    await jobs().forward(takenOf(record, 1), clusterTopic)
    await finished(record, failed(1))
    await expect(again(record)).resolves.toMatchObject({ topics: [clusterTopic], dealt: true })
  })

  test.each([
    ['cancelled', (id: string) => endings().cancel(id)],
    ['expired', (id: string) => endings().expire(id)],
  ])('may have been %s', async (_, end) => {
    const record = await accepted({ expiresAt: Date.now() - 1 })
    await end(record.id)
    await again(record)
    expect(await waiting()).toEqual([1, 1, 1])
  })

  test('makes anew what was undone', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    await finished(record, made(1), failed(2), made(3))
    await endings().rollBack(record.id)
    await use.redis().srem(use.fleet().keys.rollbacks, record.id)
    // What undoes it has ended as well.
    for (const slot of await slotsOf(record)) {
      if (isFinished(slot) && slot.undoneBy) {
        const undoing = (await jobs().status(slot.undoneBy)).record
        await finished(undoing, { ...made(1), result: null })
      }
    }
    for (const topic of topics) await use.fleet().topics.queue(topic).drain()
    const next = await again(record)
    expect(await waiting()).toEqual([1, 1, 1])
    expect(await slotsOf(next)).toMatchObject([{ state: 'waiting' }, { state: 'waiting' }, { state: 'waiting' }])
  })

  test('is refused while it is being undone: what it found would be deleted', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    await finished(record, made(1), failed(2), made(3))
    const refused = { code: 'job_not_failed', status: 409 }
    // Nobody has begun with it yet; then its containers wait to be deleted.
    await expect(again(record)).rejects.toMatchObject(refused)
    await endings().rollBack(record.id)
    await use.redis().srem(use.fleet().keys.rollbacks, record.id)
    await expect(again(record)).rejects.toMatchObject(refused)
  })

  test.each([
    ['has completed', [made(1), made(2), made(3)]],
    ['has not ended', [made(1), failed(2)]],
  ])('is refused where it %s', async (_, outcomes) => {
    const record = await accepted()
    await finished(record, ...outcomes)
    await expect(again(record)).rejects.toMatchObject({ code: 'job_not_failed', status: 409 })
  })

  test('is not found under an id that nobody gave out', async () => {
    await expect(again({ id: newJobId() } as JobRecord)).rejects.toMatchObject({ code: 'job_not_found' })
  })
})

describe('a job that is undone', () => {
  const deletions = async () => {
    const all = await Promise.all(topics.map((topic) => use.fleet().topics.queue(topic).getJobs(['waiting'])))
    return all.flat().flatMap((job) => (job.name === 'delete-container' ? { data: payloadIn(job) } : []))
  }

  test('is marked for that as soon as one of its slots has not completed, and not where it is to be kept', async () => {
    const { keys } = use.fleet()
    const [back, keep] = [await accepted({ onFailure: 'rollback' }), await accepted()]
    for (const record of [back, keep]) await finished(record, made(1))
    await expect(use.redis().smembers(keys.rollbacks)).resolves.toEqual([])
    for (const record of [back, keep]) await finished(record, failed(2))
    await expect(use.redis().smembers(keys.rollbacks)).resolves.toEqual([back.id])
  })

  test('is cancelled first where it has not ended, and not undone before it has', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    const running = await take(use.fleet(), topics[2] as string)
    await finished(record, made(1), failed(2))
    await expect(endings().rollBack(record.id)).resolves.toBe(false)
    await expect(endings().takeCancels('dock-3')).resolves.toEqual([running.id])
    expect(await deletions()).toEqual([])
    await running.moveToFailed(new Error('cancelled'), token, false)
    await finished(record, { ...failed(3), state: 'cancelled' })
    await expect(endings().rollBack(record.id)).resolves.toBe(true)
    expect(await deletions()).toHaveLength(1)
  })

  test('has what it made deleted, by jobs that are shown with it', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    await finished(record, made(1), failed(2), made(3))
    await expect(endings().rollBack(record.id)).resolves.toBe(true)
    const found = await deletions()
    expect(found.map(({ data }) => data.params)).toEqual(
      ['1', '3'].map((digit) => ({ id: digit.repeat(64), force: true, volumes: true })),
    )
    const [first, second, third] = (await slotsOf(record)) as SlotOutcome[]
    expect([first?.undoneBy, second?.undoneBy, third?.undoneBy]).toEqual([
      found[0]?.data.jobId,
      undefined,
      found[1]?.data.jobId,
    ])
  })

  test('has each deleted once, although it is undone twice at the same time and again afterwards', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    await finished(record, made(1), failed(2), made(3))
    await Promise.all([endings().rollBack(record.id), endings().rollBack(record.id)])
    await endings().rollBack(record.id)
    expect(await deletions()).toHaveLength(2)
  })

  test('and of which all is deleted is not begun with again', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    await finished(record, made(1), failed(2), made(3))
    await endings().rollBack(record.id)
    const deleting = (await deletions()).map(({ data }) => data)
    for (const payload of deleting) await jobs().finish(payload, { ...made(1), result: null })
    for (const topic of topics) await use.fleet().topics.queue(topic).obliterate({ force: true })
    await endings().rollBack(record.id)
    expect(await deletions()).toEqual([])
    for (const { jobId } of deleting) {
      await expect(jobs().status(jobId)).resolves.toMatchObject({ slots: [{ state: 'completed' }] })
    }
  })

  test('has each deleted once, although that was cut short between the mark and the job', async () => {
    const record = await accepted({ onFailure: 'rollback' })
    await finished(record, made(1), failed(2), made(3))
    const dying = { ...jobs(), accept: () => Promise.reject(new Error('killed')) } as unknown as Jobs
    await expect(endingsOf(use.redis(), { ...use.fleet(), jobs: dying }).rollBack(record.id)).rejects.toMatchObject({
      cause: { message: 'killed' },
    })
    const marked = (await slotsOf(record)).map((slot) => (slot as SlotOutcome).undoneBy)
    await expect(endings().rollBack(record.id)).resolves.toBe(true)
    expect((await deletions()).map(({ data }) => data.jobId)).toEqual(marked.filter((id) => id !== undefined))
  })

  test('and is kept no longer has nothing to be undone', async () => {
    await expect(endings().rollBack(newJobId())).resolves.toBe(true)
  })
})
