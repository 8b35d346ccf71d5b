import { useFleet } from '../../../test/support/fleet-on-redis'
import { cutShortOf, firstAccepted } from './cut-short'
import { digest } from './digest'
import { type JobPayload, type JobRecord, newJobId, payloadOf, slotJobId } from './job'
import { jobsOf, type Submission } from './jobs'
import { limitsOf } from './limits'
import { clusterTopic, dockTopic } from './names'
import { outcomesOf } from './outcomes'
import { recordsOf } from './records'
import { trustIn } from './signing/trust'
import { testKeys } from './testing/keys'
import { completed, recordOn } from './testing/record'
import { take, takenOf } from './testing/taking'
import type { Topics } from './topics'

const use = useFleet()
const jobs = () => use.fleet().jobs
const keys = () => use.fleet().keys
const topics = ['dock-1', 'dock-2', 'dock-3'].map(dockTopic) as [string, string, string]
const [topic] = topics
const idempotency = { key: 'once', payload: '' }

const recordOf = (more: Partial<JobRecord> = {}) =>
  recordOn(keys().replies('replica'), { acceptedAt: Date.now() - 31_000, ...more })
const look = (next = firstAccepted, now = Date.now()) => jobs().endCutShort(next, now)
const slotsOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots
const statesOf = async (record: JobRecord) => (await slotsOf(record)).map(({ state }) => state)
const onTopics = () => Promise.all(topics.map((name) => use.fleet().topics.queue(name).getJobCountByTypes('waiting')))

/** A job that is on its topics. */
async function accepted(more?: Partial<JobRecord>): Promise<JobRecord> {
  const record = recordOf(more)
  await jobs().accept({ record })
  return record
}

/** A job whose sender was told that it was refused, as Redis was lost between its record and these topics. */
async function cutShort(
  more: Partial<JobRecord> = {},
  lost: readonly string[] = topics,
  also: Partial<Submission> = {},
): Promise<JobRecord> {
  const record = recordOf(more)
  const isLost = { add: () => Promise.reject(new Error('Connection is closed.')) }
  const losing = {
    queue: (name: string) => (lost.includes(name) ? isLost : use.fleet().topics.queue(name)),
  } as unknown as Topics
  const replica = jobsOf(use.redis(), keys(), losing, trustIn(testKeys))
  await expect(replica.accept({ record, ...also })).rejects.toMatchObject({ code: 'redis_unavailable' })
  return record
}

/** Its slot is gone from its topic, as if it had never been there. */
const takenAway = ({ id }: JobRecord) => use.fleet().topics.queue(topic).remove(slotJobId(id, 1))

/** Ids of jobs that have ended, accepted at these times: in their order before any other of the same time. */
const addEnded = (times: number[]) =>
  use.redis().zadd(keys().jobs, ...times.flatMap((time, n) => [time, `0-${String(n).padStart(6, '0')}`]))

describe('a job whose acceptance was cut short', () => {
  test('has failed, says why, and whoever follows it is told', async () => {
    const record = await cutShort()
    expect(await look()).toMatchObject({ ended: 1 })
    const message = expect.stringContaining(`expected it to be on ${topic}, got nothing there`)
    expect(await slotsOf(record)).toMatchObject([
      { state: 'failed', dock: 'dock-1', attempts: 0, error: { code: 'redis_unavailable', status: 503, message } },
    ])
    const { events } = await jobs().events(record.id)
    expect(events.map(({ event, slot }) => [event, slot])).toEqual([
      ['accepted', null],
      ['placed', 1],
      ['failed', 1],
      ['failed', null],
    ])
    await expect(use.redis().xlen(record.replyTo)).resolves.toBe(1)
  })

  test('counts no longer against its owner', async () => {
    const { redis, prefix } = use.fleet()
    const limits = limitsOf(redis, keys(), prefix, { queueDepth: 10, jobsPerOwner: 1 })
    const { actor, id } = await cutShort()
    await expect(limits.check({ actor, topics: [topic] })).rejects.toMatchObject({ code: 'too_many_jobs' })
    await look()
    await limits.check({ actor, topics: [topic] })
    await expect(use.redis().zscore(keys().deadlines, id)).resolves.toBeNull()
  })

  test('can be tried again', async () => {
    const record = await cutShort()
    const retry = () => use.fleet().endings.again(record.id, record.replyTo, Date.now())
    await expect(retry()).rejects.toMatchObject({ code: 'job_not_failed' })
    await look()
    const next = await retry()
    await jobs().accept(next)
    expect([await onTopics(), await statesOf(next.record)]).toEqual([[1, 0, 0], ['waiting']])
  })

  test('loses the slots that are on no topic, and no other', async () => {
    const record = await cutShort({ topics, numbered: true }, [topics[1]])
    expect(await look()).toMatchObject({ ended: 1 })
    expect([await statesOf(record), await onTopics()]).toEqual([
      ['waiting', 'failed', 'waiting'],
      [1, 0, 1],
    ])
  })

  test('is undone as a whole where that was asked for', async () => {
    const record = await cutShort({ topics, numbered: true, onFailure: 'rollback' }, [topics[1]])
    await look()
    await expect(use.redis().smembers(keys().rollbacks)).resolves.toEqual([record.id])
  })

  test('was cancelled where somebody had begun to cancel it', async () => {
    const record = await cutShort()
    await use.redis().hset(keys().job(record.id), 'cancel', 'nobody wants it')
    await look()
    const error = { code: 'job_cancelled', status: 409, message: 'nobody wants it' }
    expect(await slotsOf(record)).toMatchObject([{ state: 'cancelled', error }])
  })

  test('is not begun where it comes to its topic all the same, and stays ended', async () => {
    const record = await cutShort()
    await look()
    await jobs().accept({ record })
    await take(use.fleet(), topic)
    await expect(jobs().begin(payloadOf(record, 1))).resolves.toMatchObject({
      outcome: { state: 'failed' },
      counted: false,
    })
    await expect(use.redis().zcard(keys().inflight(digest(record.actor)))).resolves.toBe(0)
    await expect(use.redis().zscore(keys().deadlines, record.id)).resolves.toBeNull()
  })
})

describe('left alone is a job', () => {
  /** One that is gone from its topic in an ordinary way, of which something tells. */
  const gone = (tell: (payload: JobPayload) => Promise<unknown>) => async () => {
    const record = await accepted()
    await takenAway(record)
    await tell(payloadOf(record, 1))
    return record
  }

  test.each([
    ['that is on its topic', () => accepted()],
    ['that may be on its way still', () => cutShort({ acceptedAt: Date.now() - 29_000 })],
    ['that has a key', () => cutShort({}, topics, { idempotency })],
    ['whose deadline is over', () => cutShort({ expiresAt: Date.now() - 1 })],
    ['that was begun', gone((payload) => jobs().countStart(payload))],
    ['whose effect may have begun', gone((payload) => jobs().markBegun(payload))],
    ['that waits in the line of its container', gone((payload) => jobs().queued(payload, true))],
    ['that is being handed on', gone(({ jobId }) => use.redis().hset(keys().job(jobId), 'hops:1', 1))],
    ['that the API has not written', gone(({ jobId }) => use.redis().hset(keys().job(jobId), 'mac', 'x'))],
  ])('%s', async (_, make) => {
    const record = await make()
    expect(await look()).toMatchObject({ ended: 0 })
    expect(await statesOf(record)).toEqual(['waiting'])
  })

  test('that was handed on, and has gone from where it went', async () => {
    const record = await accepted({ dealt: true, numbered: true })
    await jobs().forward(takenOf(record, 1), clusterTopic)
    await use.fleet().topics.queue(clusterTopic).drain()
    await takenAway(record)
    expect(await look()).toMatchObject({ ended: 0 })
  })

  test('that has ended', async () => {
    const record = await accepted({ topics: [topic, topic], numbered: true })
    await jobs().finish(payloadOf(record, 1), completed())
    await takenAway(record)
    expect(await look()).toMatchObject({ ended: 0 })
    expect(await statesOf(record)).toEqual(['completed', 'waiting'])
  })
})

test('a job with a key comes to its topics when it is sent again', async () => {
  const record = await cutShort({}, topics, { idempotency })
  await look()
  await expect(jobs().accept({ record: recordOf(), idempotency })).resolves.toEqual({ record, repeated: true })
  expect(await onTopics()).toEqual([1, 0, 0])
})

describe('of many jobs', () => {
  const long = Date.now() - 60_000

  test('each is looked at once, a part at a time', async () => {
    await addEnded(Array.from({ length: 600 }, (_, n) => long + n))
    const record = await cutShort({ acceptedAt: long + 600 })
    const first = await look()
    expect(first).toEqual({ ended: 0, next: { from: long + 499, skip: 0 } })
    const now = Date.now()
    expect(await look(first.next, now)).toEqual({ ended: 1, next: { from: now - 30_000 + 1, skip: 0 } })
    expect(await statesOf(record)).toEqual(['failed'])
  })

  test('however many were accepted in one millisecond none is missed', async () => {
    await addEnded([long - 1, ...Array.from({ length: 1_200 }, () => long)])
    const records = [await cutShort({ acceptedAt: long }), await cutShort({ acceptedAt: long + 1 })]
    let next = firstAccepted
    let ended = 0
    for (let n = 0; n < 4; n++) {
      const found = await look(next)
      next = found.next
      ended += found.ended
    }
    expect(ended).toBe(2)
    expect(next.from).toBeGreaterThan(long + 1)
    expect(await Promise.all(records.map(statesOf))).toEqual([['failed'], ['failed']])
  })

  test('as many as there are in a part end', async () => {
    const records = await Promise.all(Array.from({ length: 120 }, () => cutShort({ actor: newJobId() })))
    expect(await look()).toMatchObject({ ended: 120 })
    expect(new Set((await Promise.all(records.map(statesOf))).flat())).toEqual(new Set(['failed']))
  })

  test('one that cannot be read, or ended, keeps no other from its end', async () => {
    const [unreadable, unended, other] = [await cutShort(), await cutShort({ actor: 'ben' }), await cutShort()]
    await use.redis().set(keys().job(unreadable.id), 'spoilt')
    await use.redis().set(keys().inflight(digest('ben')), 'spoilt')
    const { next } = await look()
    expect(next.from).toBeGreaterThan(unended.acceptedAt)
    expect(await statesOf(other)).toEqual(['failed'])
  })

  test('none is passed over because Redis was away when it was to be ended', async () => {
    const record = await cutShort()
    const away = { finish: () => Promise.reject(new Error('Connection is closed.')) }
    const { redis, topics: fleetTopics } = use.fleet()
    const looking = cutShortOf(redis, keys(), fleetTopics, recordsOf(trustIn(testKeys)), away)
    await expect(looking.endCutShort(firstAccepted, Date.now())).rejects.toThrow('Connection is closed.')
    expect(await statesOf(record)).toEqual(['waiting'])
  })

  test('those that have ended cost two commands', async () => {
    const record = await accepted()
    await outcomesOf(use.redis(), keys()).finish(payloadOf(record, 1), completed())
    await use.redis().call('CONFIG', 'RESETSTAT')
    await look()
    const stats = await use.redis().info('commandstats')
    expect(stats.match(/cmdstat_(?!config)[a-z|]+/g)?.sort()).toEqual(['cmdstat_zmscore', 'cmdstat_zrange'])
  })
})
