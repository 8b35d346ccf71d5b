import { type Job, Worker } from 'bullmq'
import { useFleet } from '../../../test/support/fleet-on-redis'
import type { JobPayload, JobRecord } from './job'
import { newJobId, payloadOf, slotJobId } from './job'
import { jobsOf } from './jobs'
import { digest } from './digest'
import { counts, times } from './names'
import { failureText } from './standing'
import { completed, envelopeOf, failed, recordOn } from './testing/record'
import type { SlotReturn, Topics } from './topics'

const use = useFleet()
const jobs = () => use.fleet().jobs
const topic = 'deblox.docker.dock-1'

const recordOf = (more?: Partial<JobRecord>) => recordOn(use.fleet().keys.replies('replica'), more)

const idempotency = { key: 'once', payload: '{"a":1}' }
const lifeOf = (record: JobRecord) => use.redis().pttl(use.fleet().keys.job(record.id))
const onTopic = (name = topic) => use.fleet().topics.queue(name).getJobCountByTypes('waiting', 'active', 'completed')
const slotsOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots

/** Takes jobs from a topic as a worker does, until the test ends. */
async function working(run: (job: Job<JobPayload>) => Promise<SlotReturn>, name = topic, count = 1): Promise<void> {
  const { prefix } = use.fleet()
  const worker = new Worker<JobPayload, SlotReturn>(name, run, { connection: use.redis(), prefix })
  await new Promise<void>((resolve) => {
    let ended = 0
    const end = () => ++ended === count && resolve()
    worker.on('completed', end).on('failed', end)
  })
  await worker.close()
}

describe('a job that is accepted', () => {
  test('waits on the topics of its slots, under ids of its own', async () => {
    const record = recordOf({ topics: [topic, 'deblox.docker.dock-2'], numbered: true })
    await expect(jobs().accept({ record })).resolves.toEqual({ record, repeated: false })
    const second = await use.fleet().topics.queue('deblox.docker.dock-2').getJob(slotJobId(record.id, 2))
    expect(second?.data).toEqual(payloadOf(record, 2))
    await expect(jobs().status(record.id)).resolves.toEqual({
      record,
      slots: [
        { slot: 1, state: 'waiting', dock: 'dock-1', attempts: 0, startedAt: null },
        { slot: 2, state: 'waiting', dock: 'dock-2', attempts: 0, startedAt: null },
      ],
      places: record.topics.map((on, n) => ({ topic: on, id: slotJobId(record.id, n + 1) })),
    })
  })

  test('is written with an end beyond its deadline, so that nothing stays for ever', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    expect(await lifeOf(record)).toBeGreaterThan(times.deadline.change + times.finishedJob - 60_000)
  })

  test('counts as in flight of its owner, and as due at its deadline, until its last slot has ended', async () => {
    const { keys } = use.fleet()
    const record = recordOf({ topics: [topic, topic], expiresAt: Date.now() + 5_000 })
    await jobs().accept({ record })
    const inFlight = () => use.redis().zrange(keys.inflight(digest(record.owner)), '0', '-1')
    await jobs().finish(payloadOf(record, 1), completed(1))
    await expect(inFlight()).resolves.toEqual([record.id])
    await expect(use.redis().zscore(keys.deadlines, record.id)).resolves.toBe(String(record.expiresAt))
    await jobs().finish(payloadOf(record, 2), completed(2))
    await expect(inFlight()).resolves.toEqual([])
    await expect(use.redis().zscore(keys.deadlines, record.id)).resolves.toBeNull()
  })

  test('is not found under an id that nobody gave out', async () => {
    await expect(jobs().status(newJobId())).rejects.toMatchObject({ code: 'job_not_found', status: 404 })
  })
})

describe('a key', () => {
  test('sent fifty times at once gives one job', async () => {
    const accepted = await Promise.all(
      Array.from({ length: 50 }, () => jobs().accept({ record: recordOf(), idempotency })),
    )
    expect(new Set(accepted.map(({ record }) => record.id)).size).toBe(1)
    expect(accepted.filter(({ repeated }) => !repeated)).toHaveLength(1)
    await expect(onTopic()).resolves.toBe(1)
  })

  test('sent with another request is refused, and its job is as it was', async () => {
    const { record } = await jobs().accept({ record: recordOf(), idempotency })
    const other = { record: recordOf(), idempotency: { ...idempotency, payload: '{"a":2}' } }
    await expect(jobs().accept(other)).rejects.toMatchObject({ code: 'idempotency_key_reused', status: 422 })
    await expect(jobs().recall('anna', other.idempotency)).rejects.toMatchObject({ code: 'idempotency_key_reused' })
    await expect(jobs().recall('anna', idempotency)).resolves.toEqual(record)
    await expect(onTopic()).resolves.toBe(1)
  })

  test('belongs to the one who sent it', async () => {
    await jobs().accept({ record: recordOf(), idempotency })
    const other = recordOf({ actor: 'ben' })
    await expect(jobs().accept({ record: other, idempotency })).resolves.toEqual({ record: other, repeated: false })
    await expect(jobs().recall('cleo', idempotency)).resolves.toBeNull()
  })

  test('is remembered for a day', async () => {
    await jobs().accept({ record: recordOf(), idempotency })
    const [key = ''] = await use.redis().keys(`${use.fleet().prefix}:idempotency:*`)
    expect(await use.redis().pttl(key)).toBeGreaterThan(times.idempotency - 60_000)
  })

  test('does not tell itself to those who read Redis’s keys', async () => {
    await jobs().accept({ record: recordOf(), idempotency: { key: 'secret-key', payload: 'secret-payload' } })
    await expect(use.redis().keys('*secret*')).resolves.toEqual([])
  })

  test('repeated after a crash between the record and the topic finishes what was cut short', async () => {
    const crashing = {
      queue: (name: string) => ({
        add: (...args: Parameters<ReturnType<Topics['queue']>['add']>) =>
          name === topic
            ? use
                .fleet()
                .topics.queue(name)
                .add(...args)
            : Promise.reject(new Error('crash')),
      }),
    } as unknown as Topics
    const record = recordOf({ topics: [topic, 'deblox.docker.dock-2'] })
    const replica = jobsOf(use.redis(), use.fleet().keys, crashing)
    await expect(replica.accept({ record, idempotency })).rejects.toMatchObject({
      cause: expect.objectContaining({ message: 'crash' }),
    })
    expect(await lifeOf(record)).toBeGreaterThan(0)

    const again = await jobs().accept({ record: recordOf(), idempotency })
    expect(again).toEqual({ record, repeated: true })
    await expect(Promise.all([onTopic(), onTopic('deblox.docker.dock-2')])).resolves.toEqual([1, 1])
  })

  test('repeated after a crash does not run again what has ended since', async () => {
    const crashing = { queue: () => ({ add: () => Promise.reject(new Error('crash')) }) } as unknown as Topics
    const record = recordOf()
    const replica = jobsOf(use.redis(), use.fleet().keys, crashing)
    await expect(replica.accept({ record, idempotency })).rejects.toMatchObject({
      cause: expect.objectContaining({ message: 'crash' }),
    })
    // It had reached its topic all the same, ran, and BullMQ has forgotten it by now.
    await jobs().finish(payloadOf(record, 1), completed())
    await jobs().accept({ record: recordOf(), idempotency })
    await expect(onTopic()).resolves.toBe(0)
  })
})

describe('a slot', () => {
  test('is active while it is worked on, and completed with what the worker gave', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    await working(async () => {
      await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'active', attempts: 1 }])
      return { envelope: envelopeOf('done') }
    })
    // Nobody has recorded its outcome: BullMQ's record is looked at.
    await expect(slotsOf(record)).resolves.toMatchObject([
      { state: 'completed', dock: 'dock-1', result: { envelope: { Response: { Body: 'done' } } } },
    ])
  })

  test('that failed tells the worker’s error', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    const error = { code: 'docker_error', status: 409, message: 'in use' } as const
    await working(() => Promise.reject(new Error(failureText(error, 'dock-1'))))
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'failed', dock: 'dock-1', error }])
  })

  test('ends once: a second outcome changes nothing and is not told', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    await Promise.all([completed(), failed(), failed()].map((one) => jobs().finish(payloadOf(record, 1), one)))
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'completed' }])
    await expect(use.redis().xlen(record.replyTo)).resolves.toBe(1)
  })

  test('that was handed on is looked up on the topic where it is', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    const next = 'deblox.docker.dock-2'
    await working(async ({ data }) => {
      await jobs().forward(data, next)
      return { forwardedTo: next }
    })
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'waiting' }])
    await working(async () => ({ envelope: envelopeOf('there') }), next)
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'completed' }])
  })

  test('that is handed on comes to a topic that has kept it from before', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    await working(async ({ data }) => {
      await jobs().forward(data, 'deblox.docker.dock-2')
      return { forwardedTo: 'deblox.docker.dock-2' }
    })
    await working(async ({ data }) => {
      await jobs().forward(data, topic)
      return { forwardedTo: topic }
    }, 'deblox.docker.dock-2')
    await expect(use.fleet().topics.queue(topic).getJobCountByTypes('waiting')).resolves.toBe(1)
    await expect(jobs().status(record.id)).resolves.toMatchObject({
      places: [{ topic, id: slotJobId(record.id, 1, 2) }],
    })
  })

  test('of a job that is no longer kept leaves nothing behind when it is handed on', async () => {
    const record = recordOf()
    await jobs().forward(payloadOf(record, 1), 'deblox.docker.dock-2')
    await expect(use.redis().exists(use.fleet().keys.job(record.id))).resolves.toBe(0)
  })

  test('is marked as begun once', async () => {
    const payload = payloadOf(recordOf(), 1)
    await expect(jobs().markBegun(payload)).resolves.toEqual({ before: false })
    await expect(jobs().markBegun(payload)).resolves.toEqual({ before: true })
    await expect(jobs().markBegun({ ...payload, slot: 2 })).resolves.toEqual({ before: false })
    await jobs().unmarkBegun(payload)
    await expect(jobs().markBegun(payload)).resolves.toEqual({ before: false })
  })

  test.each([
    ['a small result', 100, true],
    ['a result that is too large to be kept twice', 10_000, false],
  ])('with %s shows it whole', async (_, size, kept) => {
    const record = recordOf()
    await jobs().accept({ record })
    const body = 'x'.repeat(size)
    await working(async ({ data }) => {
      await jobs().finish(data, completed(1, body))
      return { envelope: envelopeOf(body) }
    })
    const field = await use.redis().hget(use.fleet().keys.job(record.id), 'slot:1')
    expect(field?.includes(body)).toBe(kept)
    await expect(slotsOf(record)).resolves.toMatchObject([{ result: { envelope: { Response: { Body: body } } } }])
  })
})

test('a record ends a day after the last of its slots, not after the first', async () => {
  const record = recordOf({ topics: [topic, topic, topic], numbered: true })
  await jobs().accept({ record })
  await jobs().finish(payloadOf(record, 1), completed(1))
  await jobs().finish(payloadOf(record, 1), completed(1))
  await jobs().finish(payloadOf(record, 1), failed(1))
  await jobs().finish(payloadOf(record, 3), failed(3))
  expect(await lifeOf(record)).toBeGreaterThan(times.finishedJob)
  await jobs().finish(payloadOf(record, 2), completed(2))
  expect(await lifeOf(record)).toBeLessThanOrEqual(times.finishedJob)
})

test('a reply stream is told every end, and ends itself when nobody writes to it', async () => {
  const record = recordOf()
  await jobs().accept({ record })
  await jobs().finish(payloadOf(record, 1), completed(1, 'x'.repeat(100_000)))
  const [[, fields] = []] = await use.redis().xrange(record.replyTo, '-', '+')
  expect(fields?.slice(0, 4)).toEqual(['job', record.id, 'action', 'start-container'])
  // Too large to be sent along: the replica looks it up.
  expect(JSON.parse(fields?.[7] ?? '')).toMatchObject({ state: 'completed', result: null })
  expect(await use.redis().pttl(record.replyTo)).toBeGreaterThan(0)
})

test('a result that is too large for the record is kept for whoever waits, and not in it', async () => {
  const record = recordOf()
  await jobs().accept({ record })
  await jobs().finish(payloadOf(record, 1), completed(1, 'x'.repeat(100_000)))
  await expect(jobs().result(record, 1)).resolves.toMatchObject({
    envelope: { Response: { Body: 'x'.repeat(100_000) } },
  })
  const key = use.fleet().keys.result(record.id, 1)
  expect(await use.redis().pttl(key)).toBeLessThanOrEqual(times.largeResult)
})

test('finished jobs beyond the number that is kept go, the first that ended first', async () => {
  const { keys } = use.fleet()
  const [old, young] = [recordOf(), recordOf()]
  for (const record of [old, young]) await jobs().accept({ record })
  await jobs().finish(payloadOf(old, 1), completed())
  const others = Array.from({ length: counts.finishedJobs - 1 }, (_, n) => [Date.now() + n, `other-${n}`]).flat()
  await use.redis().zadd(keys.finished, ...(others as [number, string]))
  await jobs().finish(payloadOf(young, 1), completed())
  await expect(jobs().status(old.id)).rejects.toMatchObject({ code: 'job_not_found' })
  await expect(use.redis().zscore(keys.jobs, old.id)).resolves.toBeNull()
  await expect(jobs().status(young.id)).resolves.toMatchObject({ slots: [{ state: 'completed' }] })
})

test('an outcome reached under a claim that another dock has taken over is not the slot’s', async () => {
  const record = recordOf()
  const { placements } = use.fleet()
  await jobs().accept({ record })
  const first = await placements.claim(record.id, 1, 'dock-1')
  await placements.reclaim(record.id, 1, 'dock-2', first)
  await jobs().finish(payloadOf(record, 1), completed(), first)
  await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'waiting' }])
  const second = { ...completed(), dock: 'dock-2' }
  await jobs().finish(payloadOf(record, 1), second, { hostname: 'dock-2', epoch: 2 })
  await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'completed', dock: 'dock-2' }])
})
