import { pino } from 'pino'
import { deferred } from '../../../test/support/deferred'
import { eventually } from '../../../test/support/eventually'
import { Cancels } from './cancels'

/** A double of what Redis has for this dock: each answer of `told` is given once. */
function endingsDouble() {
  const told: (string[] | Error)[] = []
  const asked: string[] = []
  const takeCancels = async (hostname: string) => {
    asked.push(hostname)
    const next = told.shift() ?? []
    if (next instanceof Error) throw next
    return next
  }
  return { told, asked, cancels: new Cancels({ takeCancels }, 'dock-1', pino({ level: 'silent' })) }
}

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )

test('nobody is asked while nothing runs', async () => {
  const { asked, cancels } = endingsDouble()
  jest.useFakeTimers()
  await expect(cancels.guard('a', async () => 'done')).resolves.toBe('done')
  jest.advanceTimersByTime(60_000)
  jest.useRealTimers()
  expect(asked).toEqual([])
})

test('while something runs it is asked for this dock again and again, and no more when it has ended', async () => {
  const { asked, cancels } = endingsDouble()
  jest.useFakeTimers()
  const [one, other] = [deferred(), deferred()]
  const running = [cancels.guard('a', () => one.promise), cancels.guard('b', () => other.promise)]
  await jest.advanceTimersByTimeAsync(1_100)
  expect(asked).toEqual(['dock-1', 'dock-1'])
  one.resolve()
  await jest.advanceTimersByTimeAsync(500)
  expect(asked).toHaveLength(3)
  other.resolve()
  await Promise.all(running)
  await jest.advanceTimersByTimeAsync(60_000)
  jest.useRealTimers()
  expect(asked).toHaveLength(3)
})

test('what is cancelled is ended with that, and nothing beside it', async () => {
  const { told, cancels } = endingsDouble()
  told.push(['unknown', 'b'])
  const end = deferred<string>()
  const [one, other] = [cancels.guard('a', () => end.promise), cancels.guard('b', aborted)]
  await expect(other).rejects.toMatchObject({ code: 'job_cancelled' })
  end.resolve('done')
  await expect(one).resolves.toBe('done')
})

test('a slot that was taken twice is ended for both', async () => {
  const { told, cancels } = endingsDouble()
  const takes = [cancels.guard('a', aborted), cancels.guard('a', aborted)]
  told.push(['a'])
  const ends = await Promise.allSettled(takes)
  expect(ends.map((end) => end.status === 'rejected' && (end.reason as Error))).toEqual([
    expect.objectContaining({ code: 'job_cancelled' }),
    expect.objectContaining({ code: 'job_cancelled' }),
  ])
})

test('of a slot that was taken twice the other one can still be cancelled when one has ended', async () => {
  const { told, cancels } = endingsDouble()
  const [first, second] = [cancels.guard('a', aborted), cancels.guard('a', async () => 'ended before')]
  await second
  told.push(['a'])
  await expect(first).rejects.toMatchObject({ code: 'job_cancelled' })
})

test('a Redis that does not answer is asked again', async () => {
  const { told, cancels } = endingsDouble()
  told.push(new Error('away'), ['a'])
  await expect(cancels.guard('a', aborted)).rejects.toMatchObject({ code: 'job_cancelled' })
})

test('one question is under way at a time, however long a Redis that is away lets it wait', async () => {
  const answer = deferred<string[]>()
  let asked = 0
  const takeCancels = () => {
    asked++
    return answer.promise
  }
  const cancels = new Cancels({ takeCancels }, 'dock-1', pino({ level: 'silent' }))
  jest.useFakeTimers()
  const end = deferred()
  const running = cancels.guard('a', () => end.promise)
  await jest.advanceTimersByTimeAsync(20_000)
  jest.useRealTimers()
  expect(asked).toBe(1)
  answer.resolve([])
  end.resolve()
  await running
})

test('a slot that runs again is not ended by the cancel of before', async () => {
  const { told, asked, cancels } = endingsDouble()
  told.push(['a'])
  await expect(cancels.guard('a', aborted)).rejects.toMatchObject({ code: 'job_cancelled' })
  const before = asked.length
  const again = cancels.guard('a', async () => eventually(() => asked.length > before).then(() => 'done'))
  await expect(again).resolves.toBe('done')
})
