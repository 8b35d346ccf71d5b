import { hear } from '@deblox/fleet/clock-watch'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { DelayedError, WaitingError } from 'bullmq'
import { recordOn } from '../../../libs/fleet/src/testing/record'
import { take, token } from '../../../libs/fleet/src/testing/taking'
import { eventually } from '../../../test/support/eventually'
import { useFleet } from '../../../test/support/fleet-on-redis'
import { PutOff } from './put-off'

const use = useFleet()
const topic = dockTopic('dock-1')
const counts = (of = topic) => use.fleet().topics.queue(of).getJobCounts('waiting', 'active', 'delayed', 'failed')

/** A job that a worker has taken and does not carry out. */
async function taken(of = topic) {
  await use.fleet().jobs.accept({ record: recordOn(use.fleet().keys.replies('replica'), { topics: [of] }) })
  const job = await take(use.fleet(), of)
  const stopping = new AbortController()
  return { job, stopping, putOff: new PutOff(use.fleet(), stopping.signal) }
}

test('a job is looked at again later, on the cluster topic by the time of Redis, whatever this machine’s is', async () => {
  const { job, putOff } = await taken(clusterTopic)
  await hear(use.fleet().clock, use.redis())
  const anHourAhead = Date.now() + 3_600_000
  const clock = jest.spyOn(Date, 'now').mockReturnValue(anHourAhead)
  await expect(putOff.later(job, token, 60_000)).rejects.toThrow(DelayedError)
  clock.mockRestore()
  expect(await counts(clusterTopic)).toEqual({ waiting: 0, active: 0, delayed: 1, failed: 0 })
  const score = await use.redis().zscore(`${use.fleet().prefix}:${clusterTopic}:delayed`, job.id ?? '')
  const inMs = Number(score) / 0x1000 - use.fleet().clock.now()
  expect(inMs).toBeGreaterThan(50_000)
  expect(inMs).toBeLessThanOrEqual(60_000)
})

test('a job that others are ready for is given to them at once', async () => {
  const { job, putOff } = await taken()
  await expect(putOff.toOthers(job, token)).rejects.toThrow(WaitingError)
  expect(await counts()).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 })
})

describe('a job that Redis does not let go', () => {
  const refuse = () => use.redis().eval(`return redis.error_reply('MISCONF Errors writing to the AOF file')`, 0)

  test('is tried again until Redis serves, and has not failed', async () => {
    const { job, putOff } = await taken()
    const moved = jest.spyOn(job, 'moveToDelayed')
    for (const _ of [1, 2]) moved.mockImplementationOnce(() => refuse() as Promise<never>)
    await expect(putOff.later(job, token, 60_000)).rejects.toThrow(DelayedError)
    expect(moved).toHaveBeenCalledTimes(3)
    expect(await counts()).toEqual({ waiting: 0, active: 0, delayed: 1, failed: 0 })
  })

  test('stays where it is when the worker stops: it is found stalled, and has not failed', async () => {
    const { job, putOff, stopping } = await taken()
    const moved = jest.spyOn(job, 'moveToWait').mockImplementation(() => refuse() as Promise<never>)
    const leaving = putOff.toOthers(job, token)
    leaving.catch(() => undefined)
    await eventually(() => expect(moved.mock.calls.length).toBeGreaterThan(1))
    stopping.abort(new Error('the worker stops'))
    await expect(leaving).rejects.toThrow(WaitingError)
    expect(await counts()).toEqual({ waiting: 0, active: 1, delayed: 0, failed: 0 })
  })

  test('tells what is no refusal of Redis’s', async () => {
    const { putOff } = await taken()
    await expect(putOff.done(() => Promise.reject(new Error('Missing lock')))).rejects.toThrow('Missing lock')
  })
})
