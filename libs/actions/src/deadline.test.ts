import { getEventListeners } from 'node:events'
import { deferred } from '../../../test/support/deferred'
import { DeadlineError, withDeadline } from './deadline'

const never = () => new AbortController().signal

beforeEach(() => jest.useFakeTimers())
afterEach(() => jest.useRealTimers())

test('gives what the task gives', async () => {
  await expect(withDeadline(1000, never(), async () => 'answer')).resolves.toBe('answer')
  await expect(withDeadline(1000, never(), () => Promise.reject(new Error('no')))).rejects.toThrow('no')
})

test('ends in time although the task never does, and says after how long', async () => {
  const ended = withDeadline(1500, never(), () => new Promise(() => {}))
  jest.advanceTimersByTime(1500)
  await expect(ended).rejects.toThrow(new DeadlineError(1500))
  expect(new DeadlineError(1500).message).toBe('expected an answer within 1.5 s, got none')
})

test('aborts the signal that the task was given', async () => {
  const reasons: unknown[] = []
  const ended = withDeadline(1000, never(), (signal) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason))
    return new Promise(() => {})
  })
  jest.advanceTimersByTime(1000)
  await expect(ended).rejects.toBeInstanceOf(DeadlineError)
  expect(reasons).toEqual([expect.any(DeadlineError)])
})

test('ends with the reason of an outer signal that aborts', async () => {
  const outer = new AbortController()
  const ended = withDeadline(1000, outer.signal, () => new Promise(() => {}))
  outer.abort(new Error('the worker stops'))
  await expect(ended).rejects.toThrow('the worker stops')
})

test('does not begin when the outer signal has aborted before', async () => {
  const task = jest.fn()
  const ended = withDeadline(1000, AbortSignal.abort(new Error('too late')), task)
  await expect(ended).rejects.toThrow('too late')
  expect(task).not.toHaveBeenCalled()
})

test('a task that fails after its time does not fail the process', async () => {
  const unhandled = jest.fn()
  process.on('unhandledRejection', unhandled)
  const { promise, reject } = deferred<never>()
  const ended = withDeadline(10, never(), () => promise)
  jest.advanceTimersByTime(10)
  await expect(ended).rejects.toBeInstanceOf(DeadlineError)
  reject(new Error('late'))
  jest.useRealTimers()
  await new Promise<void>((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

test.each([
  ['succeeded', () => Promise.resolve()],
  ['failed', () => Promise.reject(new Error('no'))],
])('leaves neither timer nor listener behind when the task has %s', async (_, task) => {
  const outer = new AbortController()
  await withDeadline(1000, outer.signal, task).catch(() => undefined)
  expect(jest.getTimerCount()).toBe(0)
  expect(getEventListeners(outer.signal, 'abort')).toEqual([])
})
