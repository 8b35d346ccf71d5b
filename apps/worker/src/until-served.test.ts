import { setTimeout } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import { untilServed } from './until-served'

const never = new AbortController().signal
const refusal = () => new DebloxError('redis_unavailable', 'expected Redis to have room in its memory, got OOM')

/** Asks something that is refused so often. */
function asking(refusals: number) {
  const ask = jest.fn(async () => {
    if (ask.mock.calls.length <= refusals) throw refusal()
    return 'done'
  })
  return ask
}

jest.mock('node:timers/promises', () => ({ setTimeout: jest.fn() }))
const pausing = jest.mocked(setTimeout)

beforeEach(() => pausing.mockReset().mockResolvedValue(undefined))

test('what is refused is asked again until it is done, after pauses that grow up to two seconds', async () => {
  const ask = asking(8)
  await expect(untilServed(ask, never)).resolves.toBe('done')
  expect(ask).toHaveBeenCalledTimes(9)
  expect(pausing.mock.calls.map(([ms]) => ms)).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000])
})

test('what fails for another reason is not asked again', async () => {
  const ask = jest.fn(() => Promise.reject(new DebloxError('dock_not_found', 'no such dock')))
  await expect(untilServed(ask, never)).rejects.toMatchObject({ code: 'dock_not_found' })
  expect(ask).toHaveBeenCalledTimes(1)
})

test('what may not go on is not asked again, and says why', async () => {
  const ask = asking(1)
  const late = () => {
    throw new DebloxError('job_expired', 'too late')
  }
  await expect(untilServed(ask, never, late)).rejects.toMatchObject({ code: 'job_expired' })
  expect(ask).toHaveBeenCalledTimes(1)
})

test('what is stopped while it waits ends at once, with the reason of that', async () => {
  const stop = new AbortController()
  const ask = asking(1)
  pausing.mockImplementation(async (_ms, _value, options) => {
    stop.abort(new Error('the worker stops'))
    options?.signal?.throwIfAborted()
  })
  await expect(untilServed(ask, stop.signal)).rejects.toThrow('the worker stops')
  expect(ask).toHaveBeenCalledTimes(1)
})
