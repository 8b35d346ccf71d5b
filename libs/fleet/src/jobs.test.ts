import { useFleet } from '../../../test/support/fleet-on-redis'
import type { JobRecord } from './job'
import { newJobId, payloadOf, slotJobId } from './job'
import { jobsOf } from './jobs'
import { digest } from './digest'
import { clusterTopic, times } from './names'
import { failureText } from './standing'
import { trustIn } from './signing/trust'
import { testKeys } from './testing/keys'
import { completed, envelopeOf, recordOn } from './testing/record'
import { take, takenOf, token, working } from './testing/taking'
import type { Topics } from './topics'

const use = useFleet()
const jobs = () => use.fleet().jobs
const topic = 'deblox.docker.dock-1'

const recordOf = (more?: Partial<JobRecord>) => recordOn(use.fleet().keys.replies('replica'), more)

const idempotency = { key: 'once', payload: '{"a":1}' }
const lifeOf = (record: JobRecord) => use.redis().pttl(use.fleet().keys.job(record.id))
const onTopic = (name = topic) => use.fleet().topics.queue(name).getJobCountByTypes('waiting', 'active', 'completed')
const slotsOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots

describe('a job that is accepted', () => {
  test('waits on the topics of its slots, under ids of its own', async () => {
    const record = recordOf({ topics: [topic, 'deblox.docker.dock-2'], numbered: true })
    await expect(jobs().accept({ record })).resolves.toEqual({ record, repeated: false })
    const second = await use.fleet().topics.queue('deblox.docker.dock-2').getJob(slotJobId(record.id, 2))
    expect(second?.data).toEqual(takenOf(record, 2).signed)
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
    const replica = jobsOf(use.redis(), use.fleet().keys, crashing, trustIn(testKeys))
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
    const replica = jobsOf(use.redis(), use.fleet().keys, crashing, trustIn(testKeys))
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
    await working(use.fleet(), topic, async ({ data }) => {
      await jobs().begin(data)
      await expect(slotsOf(record)).resolves.toMatchObject([
        { state: 'active', attempts: 1, startedAt: expect.any(Number) },
      ])
      return { envelope: envelopeOf('done') }
    })
    // Nobody has recorded its outcome: BullMQ's record is looked at.
    await expect(slotsOf(record)).resolves.toMatchObject([
      {
        state: 'completed',
        dock: 'dock-1',
        attempts: 1,
        startedAt: expect.any(Number),
        result: { envelope: { Response: { Body: 'done' } } },
      },
    ])
  })

  test('that was only offered, to a dock that put it off, was neither tried nor started, and has no dock', async () => {
    const record = recordOf({ topics: [clusterTopic] })
    await jobs().accept({ record })
    const job = await take(use.fleet(), clusterTopic, 'dock-1')
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'active', dock: 'dock-1', startedAt: null }])
    await job.moveToDelayed(Date.now() + 60_000, token)
    await expect(slotsOf(record)).resolves.toEqual([
      { slot: 1, state: 'waiting', dock: null, attempts: 0, startedAt: null },
    ])
  })

  test('that BullMQ gave up after it was only offered was not tried either', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    await working(use.fleet(), topic, () => Promise.reject(new Error('stalled too often')))
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'failed', attempts: 0, startedAt: null }])
  })

  test('that failed tells the worker’s error', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    const error = { code: 'docker_error', status: 409, message: 'in use' } as const
    await working(use.fleet(), topic, () => Promise.reject(new Error(failureText(error, 'dock-1'))))
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'failed', dock: 'dock-1', error }])
  })

  test('that was handed on is looked up on the topic where it is', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    const next = 'deblox.docker.dock-2'
    await working(use.fleet(), topic, async ({ data }) => {
      await jobs().forward(data, next)
      return { forwardedTo: next }
    })
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'waiting' }])
    await working(use.fleet(), next, async () => ({ envelope: envelopeOf('there') }))
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'completed' }])
  })

  test('that is handed on comes to a topic that has kept it from before', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    await working(use.fleet(), topic, async ({ data }) => {
      await jobs().forward(data, 'deblox.docker.dock-2')
      return { forwardedTo: 'deblox.docker.dock-2' }
    })
    await working(use.fleet(), 'deblox.docker.dock-2', async ({ data }) => {
      await jobs().forward(data, topic)
      return { forwardedTo: topic }
    })
    await expect(use.fleet().topics.queue(topic).getJobCountByTypes('waiting')).resolves.toBe(1)
    await expect(jobs().status(record.id)).resolves.toMatchObject({
      places: [{ topic, id: slotJobId(record.id, 1, 2) }],
    })
  })

  test('of a job that is no longer kept leaves nothing behind when it is handed on', async () => {
    const record = recordOf()
    await jobs().forward(takenOf(record, 1), 'deblox.docker.dock-2')
    await expect(use.redis().exists(use.fleet().keys.job(record.id))).resolves.toBe(0)
  })
})
