import { DebloxError } from '@deblox/actions/errors'
import type { JobRecord, SlotOutcome, SlotStatus } from '@deblox/fleet/job'
import type { Jobs } from '@deblox/fleet/jobs'
import { Waiter } from './wait'

const record = { id: 'job', topics: ['t', 't'] } as unknown as JobRecord
const stays = new AbortController().signal

const completed = (slot: number, body: unknown = slot): SlotOutcome => ({
  slot,
  state: 'completed',
  dock: 'd1',
  attempts: 1,
  startedAt: 1,
  finishedAt: 2,
  result: { envelope: { Date: '', Response: { Body: body }, dockerInstance: 'd1', statusCode: 200 } },
  error: null,
})
const waiting = (slot: number): SlotStatus => ({ slot, state: 'waiting', dock: null, attempts: 0, startedAt: null })
const reply = (outcome: SlotOutcome, jobId = 'job') => ({ jobId, action: 'a', acceptedAt: 0, outcome })
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A double of the jobs in Redis: how the slots of the one job stand when they are looked up. */
function waiterOver(slots: SlotStatus[]) {
  const status = jest.fn(async () => ({ record, slots }))
  const waiter = new Waiter({ status, result: async () => completed(1, 'large').result } as unknown as Jobs)
  return { waiter, status, slots }
}

test('answers as soon as all slots have ended, in their order, without looking the job up', async () => {
  const { waiter, status } = waiterOver([])
  const outcome = waiter.expect('job', 2).outcome(record, 60_000, stays)
  waiter.onReply(reply(completed(2)))
  waiter.onReply(reply(completed(1), 'another job'))
  waiter.onReply(reply(completed(1)))
  await expect(outcome).resolves.toEqual([completed(1), completed(2)])
  expect(status).not.toHaveBeenCalled()
})

test('takes replies that come before the job’s acceptance has returned', async () => {
  const { waiter } = waiterOver([])
  const expected = waiter.expect('job', 1)
  waiter.onReply(reply(completed(1)))
  await expect(expected.outcome(record, 60_000, stays)).resolves.toEqual([completed(1)])
})

test('counts a slot that is told twice once', async () => {
  const { waiter, status } = waiterOver([completed(1), waiting(2)])
  const expected = waiter.expect('job', 2)
  waiter.onReply(reply(completed(1)))
  waiter.onReply(reply(completed(1)))
  await expect(expected.outcome(record, 0, stays)).resolves.toEqual([completed(1), waiting(2)])
  expect(status).toHaveBeenCalledTimes(1)
})

test('looks the job up when the time is over', async () => {
  const { waiter } = waiterOver([waiting(1)])
  await expect(waiter.expect('job', 1).outcome(record, 5, stays)).resolves.toEqual([waiting(1)])
})

test('looks the job up at once where the caller does not want to wait, or has gone', async () => {
  const { waiter } = waiterOver([waiting(1)])
  await expect(waiter.expect('job', 1).outcome(record, 0, stays)).resolves.toEqual([waiting(1)])
  await expect(waiter.expect('job', 1).outcome(record, 60_000, AbortSignal.abort())).resolves.toEqual([waiting(1)])
  const leaves = new AbortController()
  const outcome = waiter.expect('job', 1).outcome(record, 60_000, leaves.signal)
  leaves.abort()
  await expect(outcome).resolves.toEqual([waiting(1)])
})

test('a Redis that is away when the wait ends makes no failure of an accepted job', async () => {
  const { waiter, status } = waiterOver([])
  status.mockRejectedValue(new DebloxError('redis_unavailable', 'away'))
  const slots = await waiter.expect('job', 2).outcome(record, 0, stays)
  expect(slots.map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  status.mockRejectedValue(new DebloxError('job_not_found', 'gone'))
  await expect(waiter.expect('job', 2).outcome(record, 0, stays)).rejects.toMatchObject({ code: 'job_not_found' })
})

test('after a gap it looks up all that is waited for, and answers what has ended meanwhile', async () => {
  const { waiter } = waiterOver([completed(1), completed(2)])
  const outcome = waiter.expect('job', 2).outcome(record, 60_000, stays)
  await waiter.onGap()
  await expect(outcome).resolves.toEqual([completed(1), completed(2)])
})

test('after a gap in which Redis went away again it goes on waiting', async () => {
  const { waiter, status } = waiterOver([])
  const outcome = waiter.expect('job', 1).outcome(record, 60_000, stays)
  status.mockRejectedValueOnce(new DebloxError('redis_unavailable', 'away'))
  await expect(waiter.onGap()).resolves.toBeUndefined()
  waiter.onReply(reply(completed(1)))
  await expect(outcome).resolves.toEqual([completed(1)])
})

test('a result that was too large to be sent along is fetched', async () => {
  const { waiter, slots } = waiterOver([])
  const large = { ...completed(1, 'large'), result: null }
  slots.push(completed(1, 'large'))
  const outcome = waiter.expect('job', 1).outcome(record, 60_000, stays)
  waiter.onReply(reply(large))
  await expect(outcome).resolves.toEqual([completed(1, 'large')])
})

test('keeps nothing of a job that nobody waits for', async () => {
  const { waiter, status } = waiterOver([waiting(1)])
  waiter.expect('job', 1).forget()
  await waiter.expect('job', 1).outcome(record, 0, stays)
  status.mockClear()
  await waiter.onGap()
  expect(status).not.toHaveBeenCalled()
})

describe('a job that another replica accepted', () => {
  test('is looked at until it has ended', async () => {
    const { waiter, slots } = waiterOver([waiting(1)])
    const followed = waiter.follow('job', 60_000, stays)
    await settled()
    slots[0] = completed(1)
    await expect(followed).resolves.toEqual([completed(1)])
  })

  test('is looked at once where the caller does not want to wait', async () => {
    const { waiter, status } = waiterOver([waiting(1)])
    await expect(waiter.follow('job', 0, stays)).resolves.toEqual([waiting(1)])
    expect(status).toHaveBeenCalledTimes(1)
  })

  test('is no longer looked at when the time is over, or the caller has gone', async () => {
    const { waiter, status } = waiterOver([waiting(1)])
    await expect(waiter.follow('job', 5, stays)).resolves.toEqual([waiting(1)])
    const leaves = new AbortController()
    const followed = waiter.follow('job', 60_000, leaves.signal)
    leaves.abort()
    await expect(followed).resolves.toEqual([waiting(1)])
    expect(status.mock.calls.length).toBeLessThan(6)
  })
})

describe('a replica that stops', () => {
  test('answers at once whoever waits for a job of its own', async () => {
    const { waiter } = waiterOver([waiting(1)])
    const outcome = waiter.expect('job', 1).outcome(record, 60_000, stays)
    waiter.drain()
    await expect(outcome).resolves.toEqual([waiting(1)])
  })

  test('answers at once whoever follows a job of another replica', async () => {
    const { waiter } = waiterOver([waiting(1)])
    const outcome = waiter.follow('job', 60_000, stays)
    await settled()
    waiter.drain()
    await expect(outcome).resolves.toEqual([waiting(1)])
  })

  test('lets nobody begin to wait', async () => {
    const { waiter } = waiterOver([waiting(1)])
    waiter.drain()
    await expect(waiter.expect('job', 1).outcome(record, 60_000, stays)).resolves.toEqual([waiting(1)])
    await expect(waiter.follow('job', 60_000, stays)).resolves.toEqual([waiting(1)])
  })
})
