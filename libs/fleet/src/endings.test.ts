import { useFleet } from '../../../test/support/fleet-on-redis'
import { endingsOf } from './endings'
import { type JobRecord, newJobId, payloadOf, slotJobId } from './job'
import type { Jobs } from './jobs'
import { clusterTopic, dockTopic, times } from './names'
import { completed, envelopeOf, failed, recordOn } from './testing/record'
import { loseLock, payloadIn, take, takenOf, token, working } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const endings = () => use.fleet().endings
const topic = dockTopic('dock-1')
const other = dockTopic('dock-2')

const waiting = (name = topic) => use.fleet().topics.queue(name).getJobCountByTypes('waiting', 'delayed')
const slotsOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), more)
  await jobs().accept({ record })
  return record
}

describe('a job that is cancelled', () => {
  test('while it waits has ended at once, is on no topic, and whoever waits for it is told', async () => {
    const record = await accepted({ topics: [topic, other], numbered: true })
    await endings().cancel(record.id)
    expect(await slotsOf(record)).toMatchObject([
      {
        state: 'cancelled',
        dock: 'dock-1',
        startedAt: null,
        result: null,
        error: { code: 'job_cancelled', status: 409 },
      },
      { state: 'cancelled', dock: 'dock-2' },
    ])
    expect([await waiting(topic), await waiting(other)]).toEqual([0, 0])
    await expect(use.redis().xlen(record.replyTo)).resolves.toBe(2)
  })

  test('while it is worked on goes on until its dock has seen it, which is told once', async () => {
    const record = await accepted()
    await take(use.fleet(), topic)
    await endings().cancel(record.id)
    expect(await slotsOf(record)).toMatchObject([{ state: 'active' }])
    await expect(endings().takeCancels('dock-2')).resolves.toEqual([])
    await expect(endings().takeCancels('dock-1')).resolves.toEqual([slotJobId(record.id, 1)])
    await expect(endings().takeCancels('dock-1')).resolves.toEqual([])
  })

  test('while any dock works on it tells the one that does', async () => {
    const record = await accepted({ topics: [clusterTopic] })
    await take(use.fleet(), clusterTopic, 'dock-2')
    await endings().cancel(record.id)
    await expect(endings().takeCancels('dock-2')).resolves.toEqual([slotJobId(record.id, 1)])
  })

  test('is known to be by whoever takes one of its slots from now on', async () => {
    const record = await accepted()
    await take(use.fleet(), topic)
    await expect(jobs().begin(payloadOf(record, 1))).resolves.toMatchObject({ cancelled: false })
    await endings().cancel(record.id)
    await expect(jobs().begin(payloadOf(record, 1))).resolves.toMatchObject({ cancelled: true })
  })

  test('and is sent again under its key, is not put on its topics any more', async () => {
    const record = recordOn(use.fleet().keys.replies('replica'), { topics: [topic] })
    const idempotency = { key: 'once', payload: '' }
    await jobs().accept({ record, idempotency })
    await endings().cancel(record.id)
    await jobs().accept({ record: { ...record, id: newJobId() }, idempotency })
    await expect(waiting()).resolves.toBe(0)
  })

  test('after its worker has died has ended at once: nobody works on it', async () => {
    const record = await accepted()
    await loseLock(use.fleet(), topic, await take(use.fleet(), topic))
    await endings().cancel(record.id)
    expect(await slotsOf(record)).toMatchObject([{ state: 'cancelled' }])
  })

  test('at the moment in which it completes has completed', async () => {
    const record = await accepted()
    const seen = await jobs().status(record.id)
    await working(use.fleet(), topic, async () => ({ envelope: envelopeOf('done') }))
    const late = { ...jobs(), status: async () => seen } as Jobs
    await endingsOf(use.redis(), { ...use.fleet(), jobs: late }).cancel(record.id)
    expect(await slotsOf(record)).toMatchObject([{ state: 'completed', result: { envelope: envelopeOf('done') } }])
  })

  test('keeps what some of its slots have done', async () => {
    const record = await accepted({ topics: [topic, other], numbered: true })
    await jobs().finish(payloadOf(record, 1), completed(1))
    await endings().cancel(record.id)
    expect(await slotsOf(record)).toMatchObject([{ state: 'completed' }, { state: 'cancelled' }])
  })

  test('twice is as it was', async () => {
    const record = await accepted()
    await endings().cancel(record.id)
    const before = await slotsOf(record)
    await endings().cancel(record.id)
    expect(await slotsOf(record)).toEqual(before)
  })

  test.each([
    ['completed', completed()],
    ['failed', failed()],
  ])('after it has %s is refused', async (_, outcome) => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), outcome)
    await expect(endings().cancel(record.id)).rejects.toMatchObject({ code: 'job_finished', status: 409 })
  })

  test('is not found under an id that nobody gave out, of which nothing is kept', async () => {
    const id = newJobId()
    await expect(endings().cancel(id)).rejects.toMatchObject({ code: 'job_not_found' })
    await expect(use.redis().exists(use.fleet().keys.job(id))).resolves.toBe(0)
  })
})

describe('a job whose deadline is over', () => {
  const expiresAt = Date.now() - 1_000
  const dueAt = async ({ id }: { id: string }) => Number(await use.redis().zscore(use.fleet().keys.deadlines, id))

  test('ends expired where it waits, and is not looked at again', async () => {
    const record = await accepted({ expiresAt })
    await endings().expire(record.id)
    expect(await slotsOf(record)).toMatchObject([
      { state: 'expired', dock: 'dock-1', startedAt: null, error: { code: 'job_expired', status: 504 } },
    ])
    await expect(waiting()).resolves.toBe(0)
    await expect(use.redis().zscore(use.fleet().keys.deadlines, record.id)).resolves.toBeNull()
  })

  test('ends also where it waits for a later look, as one of a newer version does', async () => {
    const record = await accepted({ expiresAt })
    const job = await take(use.fleet(), topic)
    await job.moveToDelayed(Date.now() + 60_000, token)
    await endings().expire(record.id)
    expect(await slotsOf(record)).toMatchObject([{ state: 'expired' }])
  })

  test('is left to whoever works on it, and looked at again later', async () => {
    const record = await accepted({ topics: [topic, other], numbered: true, expiresAt })
    await take(use.fleet(), topic)
    await endings().expire(record.id)
    expect(await slotsOf(record)).toMatchObject([{ state: 'active' }, { state: 'expired' }])
    expect(await dueAt(record)).toBeGreaterThan(Date.now())
    await expect(endings().takeCancels('dock-1')).resolves.toEqual([])
  })

  test('of which no record is left is forgotten', async () => {
    const id = newJobId()
    await use.redis().zadd(use.fleet().keys.deadlines, 1, id)
    await endings().expire(id)
    await expect(use.redis().zscore(use.fleet().keys.deadlines, id)).resolves.toBeNull()
  })
})

describe('what waits on the topic of a dock', () => {
  test('that was removed has failed, and says so', async () => {
    const record = await accepted()
    await endings().leaveDock('dock-1', true)
    expect(await slotsOf(record)).toMatchObject([
      { state: 'failed', dock: 'dock-1', error: { code: 'dock_removed', status: 410 } },
    ])
    await expect(waiting()).resolves.toBe(0)
  })

  test.each([
    ['is dead', false],
    ['was removed', true],
  ])('that %s goes to any other where nobody asked for that dock', async (_, isRemoved) => {
    const record = await accepted({ dealt: true, numbered: true })
    await endings().leaveDock('dock-1', isRemoved)
    expect([await waiting(topic), await waiting(clusterTopic)]).toEqual([0, 1])
    await expect(jobs().status(record.id)).resolves.toMatchObject({
      places: [{ topic: clusterTopic }],
      slots: [{ state: 'waiting', dock: null }],
    })
    expect((await take(use.fleet(), clusterTopic)).data).toEqual(takenOf(record, 1).signed)
  })

  test('that is dead waits for it where somebody asked for that very dock', async () => {
    const record = await accepted()
    await endings().leaveDock('dock-1', false)
    expect(await slotsOf(record)).toMatchObject([{ state: 'waiting', dock: 'dock-1' }])
    await expect(waiting()).resolves.toBe(1)
  })

  test('goes elsewhere behind however many that wait for that very dock', async () => {
    for (let n = 0; n < 250; n++) await accepted()
    await accepted({ dealt: true, numbered: true })
    const next = await endings().leaveDock('dock-1', false)
    await expect(endings().leaveDock('dock-1', false, next)).resolves.toBe(0)
    expect([await waiting(topic), await waiting(clusterTopic)]).toEqual([250, 1])
  })

  test('keeps nothing else there when a stranger has put something between', async () => {
    const stranger = await use
      .fleet()
      .topics.queue(topic)
      .add('x', null as never, { jobId: 'stranger' })
    await use.redis().hset(`${use.fleet().prefix}:${topic}:${stranger.id}`, 'data', '{"no": JSON')
    await accepted({ dealt: true, numbered: true })
    await endings().leaveDock('dock-1', false)
    await expect(waiting(clusterTopic)).resolves.toBe(1)
  })

  test('that somebody has taken is left to that one', async () => {
    const record = await accepted()
    await take(use.fleet(), topic)
    await endings().leaveDock('dock-1', true)
    expect(await slotsOf(record)).toMatchObject([{ state: 'active' }])
  })
})

describe('a slot that is handed on', () => {
  test('to a topic from which it came is there again', async () => {
    const record = await accepted({ dealt: true, numbered: true })
    const job = await take(use.fleet(), topic)
    await jobs().forward(payloadIn(job), clusterTopic)
    await job.moveToCompleted({ forwardedTo: clusterTopic }, token, false)
    // Its claim was still of the first one: whoever took it there hands it back.
    await jobs().forward(takenOf(record, 1), topic)
    await expect(waiting(topic)).resolves.toBe(1)
    await expect(jobs().status(record.id)).resolves.toMatchObject({
      places: [{ topic }],
      slots: [{ state: 'waiting' }],
    })
  })
})

test('a cancel that nobody takes notice of is forgotten', async () => {
  const record = await accepted()
  await take(use.fleet(), topic)
  await endings().cancel(record.id)
  const life = await use.redis().pttl(use.fleet().keys.cancels('dock-1'))
  expect(life).toBeGreaterThan(0)
  expect(life).toBeLessThanOrEqual(times.cancel)
})
