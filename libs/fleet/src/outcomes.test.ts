import { useFleet } from '../../../test/support/fleet-on-redis'
import { type JobRecord, newJobId, payloadOf } from './job'
import { counts, dockTopic, times } from './names'
import { failureText } from './standing'
import { completed, envelopeOf, failed, made, recordOn } from './testing/record'
import { take, token, working } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const topic = dockTopic('dock-1')
/** Beyond so many characters a result has a key of its own. */
const keptResult = 4_096

const recordOf = (more?: Partial<JobRecord>) => recordOn(use.fleet().keys.replies('replica'), more)
const lifeOf = (record: JobRecord) => use.redis().pttl(use.fleet().keys.job(record.id))
const slotsOf = async ({ id }: JobRecord) => (await jobs().status(id)).slots

async function accepted(more?: Partial<JobRecord>): Promise<JobRecord> {
  const record = recordOf(more)
  await jobs().accept({ record })
  return record
}

describe('a slot', () => {
  test('ends once: a second outcome changes nothing and is not told', async () => {
    const record = recordOf()
    await jobs().accept({ record })
    await Promise.all([completed(), failed(), failed()].map((one) => jobs().finish(payloadOf(record, 1), one)))
    await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'completed' }])
    await expect(use.redis().xlen(record.replyTo)).resolves.toBe(1)
  })

  test('of a record that somebody has changed is told to no other key', async () => {
    const { keys, redis } = use.fleet()
    const others = ['elsewhere', `${keys.replies('x')}:y`, 5]
    for (const replyTo of others) {
      const record = await accepted({ replyTo: replyTo as string })
      await jobs().finish(payloadOf(record, 1), completed())
      await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'completed' }])
    }
    await expect(redis.exists(...others.map(String))).resolves.toBe(0)
  })

  test.each([
    ['a small result', 100, true],
    ['a result that is too large to be kept twice', 10_000, false],
  ])('with %s shows it whole', async (_, size, kept) => {
    const record = recordOf()
    await jobs().accept({ record })
    const body = 'x'.repeat(size)
    await working(use.fleet(), topic, async ({ data }) => {
      await jobs().finish(data, completed(1, body))
      return { envelope: envelopeOf(body) }
    })
    const field = await use.redis().hget(use.fleet().keys.job(record.id), 'slot:1')
    expect(field?.includes(body)).toBe(kept)
    await expect(slotsOf(record)).resolves.toMatchObject([{ result: { envelope: { Response: { Body: body } } } }])
  })

  test('of a job that is kept no longer leaves nothing behind, however it is begun or ends', async () => {
    const payload = payloadOf(recordOf(), 1)
    await jobs().begin(payload)
    await jobs().countStart(payload)
    await jobs().finish(payload, completed())
    await expect(use.redis().keys(`${use.fleet().prefix}:job:*`)).resolves.toEqual([])
  })
})

describe('a slot that only BullMQ knows to have ended', () => {
  test('is recorded when it is looked at: BullMQ will forget it', async () => {
    const record = await accepted()
    await working(use.fleet(), topic, async () => ({ envelope: envelopeOf('done') }))
    const seen = await slotsOf(record)
    await use.fleet().topics.queue(topic).obliterate({ force: true })
    expect(await slotsOf(record)).toEqual(seen)
    expect(seen).toMatchObject([{ state: 'completed', dock: 'dock-1' }])
    await expect(use.redis().xlen(record.replyTo)).resolves.toBe(1)
  })

  test('is recorded as failed where its worker said so', async () => {
    const record = await accepted()
    const error = { code: 'docker_error', status: 409, message: 'in use' } as const
    const job = await take(use.fleet(), topic)
    await job.moveToFailed(new Error(failureText(error, 'dock-1')), token, false)
    await slotsOf(record)
    await expect(jobs().outcome(payloadOf(record, 1))).resolves.toMatchObject({ state: 'failed', error })
  })

  test('is what was recorded before, where that is something else', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), failed())
    await expect(jobs().settle(payloadOf(record, 1), completed())).resolves.toEqual(failed())
  })

  test('shows its result in full, also where the record has none', async () => {
    const record = await accepted()
    const large = completed(1, 'x'.repeat(100_000))
    await jobs().finish(payloadOf(record, 1), large)
    await use.redis().del(use.fleet().keys.result(record.id, 1))
    await expect(jobs().settle(payloadOf(record, 1), large)).resolves.toEqual(large)
  })

  test('is told where nothing of its job is kept any more', async () => {
    await expect(jobs().settle(payloadOf(recordOf(), 1), completed())).resolves.toEqual(completed())
  })
})

describe('a result', () => {
  test.each([
    ['as large as the record keeps', keptResult, true],
    ['larger', keptResult + 1, false],
  ])('%s is in the record: %#', async (_, size, kept) => {
    const record = await accepted()
    const empty = JSON.stringify(completed(1, '').result).length
    await jobs().finish(payloadOf(record, 1), completed(1, 'x'.repeat(size - empty)))
    await expect(use.redis().exists(use.fleet().keys.result(record.id, 1))).resolves.toBe(kept ? 0 : 1)
    await expect(use.redis().hstrlen(use.fleet().keys.job(record.id), 'slot:1')).resolves.toBeLessThan(8_192)
  })

  test('that is kept no longer is null, and the job has completed all the same', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), completed(1, 'x'.repeat(100_000)))
    await use.redis().del(use.fleet().keys.result(record.id, 1))
    await expect(jobs().result(record, 1)).resolves.toBeNull()
    expect(await slotsOf(record)).toMatchObject([{ state: 'completed', result: null }])
  })
})

describe('the claim of a slot that has ended', () => {
  const claimed = async (record: JobRecord) => {
    const { placements } = use.fleet()
    return placements.claim(record.id, 1, 'dock-1')
  }
  const holder = async (record: JobRecord) => (await use.fleet().placements.read([{ job: record.id, slot: 1 }]))[0]

  test('stays with the dock that has its container', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), made(1), await claimed(record))
    await expect(holder(record)).resolves.toEqual({ hostname: 'dock-1', epoch: 1 })
  })

  test('stays also with one that could make it and not start it', async () => {
    const record = await accepted()
    const error = { code: 'docker_error', status: 500, message: 'port', details: { container: { id: 'a' } } } as const
    await jobs().finish(payloadOf(record, 1), { ...failed(), error }, await claimed(record))
    await expect(holder(record)).resolves.toMatchObject({ hostname: 'dock-1' })
  })

  test('is nobody’s without a container: one that Docker makes later belongs to no job', async () => {
    const record = await accepted()
    await jobs().finish(payloadOf(record, 1), failed(), await claimed(record))
    await expect(holder(record)).resolves.toEqual({ hostname: '', epoch: 1 })
  })

  test('is that of the first job where another one tries it again', async () => {
    const first = await accepted()
    const claim = await claimed(first)
    const again = await accepted({ origin: first.id })
    await jobs().finish(payloadOf(again, 1), made(1), { ...claim, epoch: 7 })
    expect(await slotsOf(again)).toMatchObject([{ state: 'waiting' }])
    await jobs().finish(payloadOf(again, 1), made(1), claim)
    expect(await slotsOf(again)).toMatchObject([{ state: 'completed' }])
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
  // Of those that end in one second the one with the lesser id goes first.
  const [old, young] = [recordOf({ id: newJobId(1) }), recordOf({ id: newJobId(2) })]
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

test('an outcome of a worker whose lease another has by now is refused; while nobody has it, it counts', async () => {
  const { docks, placements } = use.fleet()
  const record = await accepted()
  const claim = await placements.claim(record.id, 1, 'dock-1')
  const endedBy = (incarnation: string) => jobs().finish(payloadOf(record, 1), made(1), { ...claim, incarnation })
  await docks.acquireLease('dock-1', 'successor')
  await expect(endedBy('predecessor')).resolves.toBe('refused')
  await expect(slotsOf(record)).resolves.toMatchObject([{ state: 'waiting' }])
  await docks.releaseLease('dock-1', 'successor')
  await expect(endedBy('predecessor')).resolves.toBe('recorded')
})

test('an outcome of the worker that has the lease counts', async () => {
  const { docks, placements } = use.fleet()
  const record = await accepted()
  const claim = await placements.claim(record.id, 1, 'dock-1')
  await docks.acquireLease('dock-1', 'worker')
  const ended = jobs().finish(payloadOf(record, 1), made(1), { ...claim, incarnation: 'worker' })
  await expect(ended).resolves.toBe('recorded')
})
