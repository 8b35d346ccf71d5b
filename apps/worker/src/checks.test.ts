import { type JobPayload, type JobRecord, payloadOf, slotJobId } from '@deblox/fleet/job'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { signJob } from '@deblox/fleet/payload'
import { pino } from 'pino'
import { testKeys } from '../../../libs/fleet/src/testing/keys'
import { completed, failed, recordOn } from '../../../libs/fleet/src/testing/record'
import { deferred } from '../../../test/support/deferred'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { Checks } from './checks'
import type { SlotJob } from './consumer'
import { Spent } from './spent'

const use = useFleet()
const topic = dockTopic('here')
const log = pino({ level: 'silent' })
let checks: Checks

beforeEach(async () => {
  checks = new Checks(use.fleet(), 'here', await Spent.open('/dev/null', 'here', () => Date.now(), log), log)
})

const jobs = () => use.fleet().jobs
const outcomeOf = (record: JobRecord) => jobs().outcome(payloadOf(record, 1))

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'), { topics: [topic], ...more })
  await jobs().accept({ record })
  return record
}

interface Taken extends Partial<JobPayload> {
  id?: string
  queueName?: string
  /** How often it was taken, this time included. */
  takes?: number
}

/** What a worker takes of a job, with other fields signed by the API where they are given. */
function taken(record: JobRecord, { id, queueName = topic, takes = 1, ...more }: Taken = {}): SlotJob {
  const data = signJob({ ...payloadOf(record, 1), ...more }, testKeys)
  return { data, id: id ?? slotJobId(record.id, 1), queueName, attemptsStarted: takes } as SlotJob
}

const refusal = expect.objectContaining({ message: expect.stringContaining('"bad_signature"') }) as Error
const ended = (record: JobRecord) => checks.ended(payloadOf(record, 1), completed())

test('what the API has signed for this dock goes on, also after it was handed on', async () => {
  const record = await accepted()
  await expect(checks.check(taken(record))).resolves.toMatchObject({ payload: { jobId: record.id, dock: 'here' } })
  const free = await accepted({ topics: [clusterTopic] })
  const handedOn = { queueName: topic, id: slotJobId(free.id, 1, 2) }
  await expect(checks.check(taken(free, handedOn))).resolves.toMatchObject({ payload: { jobId: free.id, dock: '*' } })
})

test.each([
  ['for another dock', { dock: 'there' }],
  ['of another job', { id: '018c3e80-0002-7abc-8def-000000005eed.1' }],
  ['of another slot', { slot: 2 }],
])('what is %s is refused', async (_, more) => {
  await expect(checks.check(taken(await accepted(), more))).rejects.toThrow(refusal)
})

test('a refusal is told to the audit and counted, and ends a job whose own entry it is', async () => {
  const record = await accepted()
  await expect(checks.check(taken(record, { dock: 'there' }))).rejects.toThrow(refusal)
  await expect(outcomeOf(record)).resolves.toMatchObject({ state: 'failed', error: { code: 'bad_signature' } })
  const { redis, keys } = use.fleet()
  await expect(redis.hget(keys.dock('here'), 'refused')).resolves.toBe('1')
  const [[, fields]] = (await redis.xrange(keys.auditIntake, '-', '+')) as [[string, string[]]]
  expect(fields).toEqual(expect.arrayContaining(['here', slotJobId(record.id, 1), 'bad_signature']))
})

test.each(['forbidden', 'dock_policy', 'docker_error'] as const)(
  'a job that ended here as %s is told to the audit where this dock refused it, and is not counted as forged',
  async (code) => {
    const payload = payloadOf(await accepted(), 1)
    await checks.refusedHere(payload, { ...failed(), error: { code, status: 403, message: 'not here' } })
    await checks.refusedHere(payload, completed())
    const { redis, keys } = use.fleet()
    const told = (await redis.xrange(keys.auditIntake, '-', '+')).map(([, fields]) => fields)
    const refused = expect.arrayContaining(['here', slotJobId(payload.jobId, 1), code, 'not here']) as string[]
    expect(told).toEqual(code === 'docker_error' ? [] : [refused])
    await expect(redis.hget(keys.dock('here'), 'refused')).resolves.toBeNull()
  },
)

test('another entry that is refused does not end the job, nor does any while it is carried out', async () => {
  const record = await accepted()
  await expect(checks.check(taken(record, { dock: 'there', id: slotJobId(record.id, 1, 4) }))).rejects.toThrow(refusal)
  const work = deferred()
  const running = checks.guard(payloadOf(record, 1), () => work.promise)
  await expect(checks.check(taken(record, { dock: 'there' }))).rejects.toThrow(refusal)
  work.resolve()
  await running
  await expect(outcomeOf(record)).resolves.toBeNull()
})

describe('beyond its deadline', () => {
  const late = { acceptedAt: 1, issuedAt: 1, expiresAt: Date.now() - 1_000 }

  test('a job that somebody waits for goes on, to end as what it is', async () => {
    const record = await accepted(late)
    await expect(checks.check(taken(record))).resolves.toMatchObject({ payload: { jobId: record.id } })
  })

  test('one that was kept, or has ended, is refused', async () => {
    const [gone, done] = [await accepted(late), await accepted(late)]
    await use.redis().del(use.fleet().keys.job(gone.id))
    await jobs().finish(payloadOf(done, 1), completed())
    for (const record of [gone, done]) await expect(checks.check(taken(record))).rejects.toThrow(refusal)
  })

  test('a create that is late by more than it is remembered is refused in any case: its end would undo it', async () => {
    const create = { action: 'create-container', params: { image: 'busybox' } }
    const [soon, never] = await Promise.all(
      [late.expiresAt, Date.now() - 2 * 3_600_000].map((expiresAt) => accepted({ ...create, ...late, expiresAt })),
    )
    await expect(checks.check(taken(soon as JobRecord))).resolves.toMatchObject({ payload: { action: create.action } })
    await expect(checks.check(taken(never as JobRecord))).rejects.toThrow(refusal)
  })
})

describe('what has ended here', () => {
  test('is refused when it comes again', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), completed())
    ended(record)
    await expect(checks.check(taken(record))).rejects.toThrow(refusal)
  })

  test('goes on to be found ended where its worker died before BullMQ heard of that', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), completed())
    ended(record)
    await expect(checks.check(taken(record, { takes: 2 }))).resolves.toMatchObject({ payload: { jobId: record.id } })
  })

  test('has its outcome again where Redis has lost that, and is not done again', async () => {
    const record = await accepted()
    ended(record)
    await expect(checks.check(taken(record))).resolves.toEqual({ told: true })
    await expect(outcomeOf(record)).resolves.toEqual(completed())
  })

  test.each([
    ['without a record', (record: JobRecord) => use.redis().del(use.fleet().keys.job(record.id))],
    ['as another entry', async () => undefined],
  ])('%s is refused, however often it says that it was taken', async (how, change) => {
    const record = await accepted()
    ended(record)
    await change(record)
    const entry = how === 'as another entry' ? { id: slotJobId(record.id, 1, 5) } : {}
    for (const takes of [1, 2]) await expect(checks.check(taken(record, { ...entry, takes }))).rejects.toThrow(refusal)
  })

  test('is told from another slot of its job', async () => {
    const record = await accepted({ topics: [topic, topic] })
    ended(record)
    const data = signJob(payloadOf(record, 2), testKeys)
    const second = { data, id: slotJobId(record.id, 2), queueName: topic, attemptsStarted: 1 } as SlotJob
    await expect(checks.check(second)).resolves.toMatchObject({ payload: { slot: 2 } })
  })
})

test('jobs go on in the order in which they were taken, though one needs to be looked up', async () => {
  const late = await accepted({ acceptedAt: 1, expiresAt: Date.now() - 1_000 })
  const next = await accepted()
  const order: string[] = []
  await Promise.all([late, next].map((one) => checks.check(taken(one)).then(() => order.push(one.id))))
  expect(order).toEqual([late.id, next.id])
  await checks.settled()
})
