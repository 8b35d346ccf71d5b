import { useFleet } from '../../../test/support/fleet-on-redis'
import { type JobRecord, payloadOf } from './job'
import { pullsOf } from './job-events'
import { counts, times } from './names'
import { completed, failed, made, recordOn } from './testing/record'
import { takenOf } from './testing/taking'

const use = useFleet()
const jobs = () => use.fleet().jobs
const keys = () => use.fleet().keys

async function accepted(more: Partial<JobRecord> = {}): Promise<JobRecord> {
  const record = recordOn(keys().replies('replica'), more)
  await jobs().accept({ record })
  return record
}

const create = { action: 'create-container', params: { image: 'busybox' } }
const twoSlots: Partial<JobRecord> = {
  ...create,
  numbered: true,
  topics: ['deblox.docker.dock-1', 'deblox.docker.dock-2'],
  dealt: true,
}
const dealt = { reason: 'dealt', why: 'dealt over the ready docks' } as const

/** What was told, without when. */
const told = async ({ id }: JobRecord) =>
  (await jobs().events(id)).events.map(({ event, slot, dock, data }) => [event, slot, dock, data])

/** What the stream of changes says of jobs: what, where, which, and how the row reads. */
async function changes() {
  const entries = await use.redis().xrange(keys().changes, '-', '+')
  return entries.map(([, [, kind, , op, , dock, , id, , row]]) => [kind, op, dock, id, JSON.parse(row ?? '')])
}

test('a job tells what it goes through, in the scripts that change it, each step also as a change of the fleet', async () => {
  const record = await accepted()
  const payload = payloadOf(record, 1)
  await jobs().begin(payload, 3, 'dock-1')
  await jobs().finish(payload, completed())
  const { action, actor, owner } = record
  const place = { reason: 'container', why: expect.any(String) }
  expect(await told(record)).toEqual([
    ['accepted', null, null, { action, slots: 1 }],
    ['placed', 1, 'dock-1', place],
    ['started', 1, 'dock-1', { attempt: 1 }],
    ['docker', 1, 'dock-1', { status: 200 }],
    ['completed', 1, 'dock-1', { attempts: 1 }],
    ['completed', null, 'dock-1', { attempts: 1 }],
  ])
  const row = (slot: number | null, data: object) => ({ action, actor, owner, slot, data })
  expect(await changes()).toEqual([
    ['job', 'accepted', '', record.id, row(null, { action, slots: 1 })],
    ['job', 'placed', 'dock-1', record.id, row(1, place)],
    ['job', 'started', 'dock-1', record.id, row(1, { attempt: 1 })],
    ['job', 'completed', 'dock-1', record.id, row(null, { attempts: 1 })],
  ])
})

test('a create is told to be placed when a dock has claimed it, and again when another one takes it over', async () => {
  const { placements } = use.fleet()
  const record = await accepted({ ...create, topics: ['deblox.docker'] })
  const payload = payloadOf(record, 1)
  const was = await placements.claim(record.id, 1, 'dock-1', record.id, { payload, reason: dealt })
  // Somebody else's claim holds: nothing is placed.
  await placements.claim(record.id, 1, 'dock-2', record.id, { payload, reason: dealt })
  await jobs().countStart(payload)
  const over = { reason: 'taken-over', why: 'dock-1 has lost its lease' } as const
  const { epoch } = await placements.reclaim(record.id, 1, 'dock-2', was, record.id, { payload, reason: over })
  await placements.release(record.id, 1, 'dock-1', epoch, { payload, why: 'not its to give up' })
  await placements.release(record.id, 1, 'dock-2', epoch, { payload, why: 'it cannot take it now' })
  expect((await told(record)).slice(1)).toEqual([
    ['placed', 1, 'dock-1', dealt],
    ['started', 1, 'dock-1', { attempt: 1 }],
    ['placed', 1, 'dock-2', over],
    ['started', 1, 'dock-2', { attempt: 1 }],
    ['waiting', 1, 'dock-2', { why: 'it cannot take it now' }],
  ])
})

test('each slot tells how it ended, and the job as its worst slot', async () => {
  const record = await accepted(twoSlots)
  await jobs().finish(payloadOf(record, 2), failed(2))
  await jobs().finish(payloadOf(record, 2), completed(2))
  await jobs().finish(payloadOf(record, 1), made(1))
  const error = { code: 'docker_error', status: 409, message: 'no' }
  expect((await told(record)).slice(1)).toEqual([
    ['docker', 2, 'dock-1', { status: 409, message: 'no' }],
    ['failed', 2, 'dock-1', { attempts: 1, error }],
    ['docker', 1, 'dock-1', { status: 200 }],
    ['completed', 1, 'dock-1', { attempts: 1, container: { id: '1'.repeat(64), name: 'web-1' } }],
    ['failed', null, null, { slots: 2 }],
  ])
  expect((await changes()).map(([, op, , , { slot }]) => [op, slot])).toEqual([
    ['accepted', null],
    ['failed', 2],
    ['completed', 1],
    ['failed', null],
  ])
})

test.each([
  [['cancelled', 'completed'], 'cancelled'],
  [['cancelled', 'expired'], 'expired'],
  [['failed', 'expired'], 'failed'],
] as const)('slots that ended %j make a job that has %s', async (states, state) => {
  const record = await accepted(twoSlots)
  for (const [n, ended] of states.entries()) {
    await jobs().finish(payloadOf(record, n + 1), { ...completed(n + 1), state: ended })
  }
  expect((await told(record)).at(-1)).toEqual([state, null, null, { slots: 2 }])
})

test('what is accepted once is told once, however often it is sent', async () => {
  const record = recordOn(keys().replies('replica'))
  const idempotency = { key: 'once', payload: 'p' }
  for (const _ of [1, 2]) await jobs().accept({ record, idempotency })
  await jobs().accept({ record })
  expect((await told(record)).map(([event]) => event)).toEqual(['accepted', 'placed'])
})

test('a slot that changes hands tells where it waits, and one that is given back that it does', async () => {
  const record = await accepted({ ...create, topics: ['deblox.docker'] })
  const payload = takenOf(record, 1)
  await jobs().begin(payload, 3, 'dock-1')
  await jobs().uncountStart(payload, { dock: 'dock-1', why: 'it stops' })
  await jobs().forward(payload, 'deblox.docker.dock-2', 'dock-2 has claimed it')
  await jobs().countStart(payload, 'dock-2')
  expect((await told(record)).slice(1)).toEqual([
    ['started', 1, 'dock-1', { attempt: 1 }],
    ['waiting', 1, 'dock-1', { why: 'it stops' }],
    ['waiting', 1, 'dock-2', { why: 'dock-2 has claimed it' }],
    ['started', 1, 'dock-2', { attempt: 1 }],
  ])
})

test('of a pull only the latest is kept of each slot, and it is no change of the fleet', async () => {
  const record = await accepted(twoSlots)
  const pull = (slot: number, current: number) =>
    jobs().tell(payloadOf(record, slot), { event: 'pull', dock: 'dock-1', data: { layers: { a: { current } } } })
  for (const current of [1, 2, 3]) await pull(1, current)
  await pull(2, 7)
  await jobs().tell(payloadOf(record, 1), { event: 'retrying', dock: 'dock-1', data: { why: 'no answer' } })
  expect((await told(record)).slice(1)).toEqual([
    ['pull', 1, 'dock-1', { layers: { a: { current: 3 } } }],
    ['pull', 2, 'dock-1', { layers: { a: { current: 7 } } }],
    ['retrying', 1, 'dock-1', { why: 'no answer' }],
  ])
  expect((await changes()).map(([, op]) => op)).toEqual(['accepted', 'retrying'])
})

test('of a slot that has ended nothing more is told, and of a job that is not there nothing at all', async () => {
  const record = await accepted()
  await jobs().finish(payloadOf(record, 1), completed())
  const before = await told(record)
  await jobs().tell(payloadOf(record, 1), { event: 'retrying', dock: 'dock-1', data: {} })
  expect(await told(record)).toEqual(before)
  const foreign = recordOn('replies')
  await jobs().tell(payloadOf(foreign, 1), { event: 'retrying', dock: 'dock-1', data: {} })
  await jobs().begin(payloadOf(foreign, 1), 3, 'dock-1')
  const forgotten = await accepted()
  await use.redis().del(keys().jobEvents(forgotten.id))
  await jobs().begin(payloadOf(forgotten, 1), 3, 'dock-1')
  expect(await use.redis().exists(keys().jobEvents(foreign.id), keys().jobEvents(forgotten.id))).toBe(0)
})

test('what is told lasts as long as the job, and goes with it', async () => {
  const record = await accepted()
  const key = keys().jobEvents(record.id)
  expect(await use.redis().pttl(key)).toBeGreaterThan(times.finishedJob)
  await jobs().finish(payloadOf(record, 1), completed())
  const left = await use.redis().pttl(key)
  expect(left > 0 && left <= times.finishedJob).toBe(true)
  await use.redis().zadd(keys().finished, 0, record.id)
  const next = await accepted()
  await jobs().finish(payloadOf(next, 1), completed())
  expect(await use.redis().exists(key, keys().job(record.id))).toBe(0)
})

test('what cannot be told undoes nothing: a job goes on whose events somebody has spoilt', async () => {
  const record = recordOn(keys().replies('replica'))
  const payload = payloadOf(record, 1)
  await use.redis().set(keys().jobEvents(record.id), 'spoilt')
  await use.redis().set(keys().changes, 'spoilt')
  await jobs().accept({ record })
  expect(await jobs().begin(payload, 3, 'dock-1')).toMatchObject({ starts: 0, counted: true })
  await jobs().tell(payload, { event: 'pull', dock: 'dock-1', data: {} })
  expect(await jobs().finish(payload, completed())).toBe('recorded')
  expect(await jobs().status(record.id)).toMatchObject({ slots: [{ state: 'completed' }] })
  expect(await jobs().events(record.id)).toEqual({ events: [], last: '' })
})

test('a job with many slots keeps more of what it tells', async () => {
  const kept = async (slots: number) => {
    const record = await accepted({
      ...create,
      numbered: true,
      topics: Array.from({ length: slots }, () => 'deblox.docker'),
    })
    const told = Array.from({ length: 900 }, (_, n) => `${n + 2} 0 ${Date.now()} started 1 - {}`)
    await use.redis().rpush(keys().jobEvents(record.id), ...told)
    await jobs().begin(payloadOf(record, 1), 3, 'dock-1')
    return use.redis().llen(keys().jobEvents(record.id))
  }
  expect(await kept(1)).toBe(counts.jobEvents + 10)
  expect(await kept(50)).toBe(902)
})

test('an ended slot keeps the last of its pull among what else was told', async () => {
  const record = await accepted({ ...create, topics: ['deblox.docker'] })
  const payload = payloadOf(record, 1)
  for (const current of [1, 2]) {
    await jobs().tell(payload, { event: 'pull', dock: 'dock-1', data: { layers: { a: { current } } } })
  }
  const { last } = await jobs().events(record.id)
  expect(await jobs().events(record.id, last)).toEqual({ events: [], last })
  await jobs().finish(payload, completed())
  expect((await told(record))[1]).toEqual(['pull', 1, 'dock-1', { layers: { a: { current: 2 } } }])
  expect(await use.redis().exists(keys().jobEvents(pullsOf(record.id)))).toBe(0)
  // Whoever followed it hears nothing that he has heard, but for this.
  expect((await jobs().events(record.id, last)).events.map(({ event }) => event)).toEqual([
    'pull',
    'docker',
    'completed',
    'completed',
  ])
})

test('what is told costs little memory', async () => {
  const record = await accepted()
  await jobs().begin(payloadOf(record, 1), 3, 'dock-1')
  await jobs().finish(payloadOf(record, 1), completed())
  expect(await use.redis().memory('USAGE', keys().jobEvents(record.id))).toBeLessThan(1_000)
})
