import { WaitingError } from 'bullmq'
import { deferred } from '../../../test/support/deferred'
import { HandBack } from './hand-back'

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A job that starts at once or never, and ends when told to, or as soon as it is stopped. */
function jobOf(handBack: HandBack, name: string, log: string[], starts: boolean) {
  const end = deferred<string>()
  const moved = deferred()
  const guarded = handBack.guard(
    () => {
      log.push(`${name} goes back`)
      return moved.promise
    },
    async (started, signal) => {
      if (starts && !started()) throw new WaitingError()
      signal.addEventListener('abort', () => end.reject(signal.reason as Error))
      return end.promise
    },
  )
  const ended = jest.fn()
  guarded.then(ended, ended)
  return { guarded, end, moved, ended }
}

test('gives what the work gives, and keeps nothing of it', async () => {
  const handBack = new HandBack()
  await expect(handBack.guard(jest.fn(), async (started) => (started() ? 'done' : 'not'))).resolves.toBe('done')
  await expect(handBack.guard(jest.fn(), () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect((handBack as unknown as { held: unknown[] }).held).toEqual([])
})

test('gives back what has not started, the last one taken first, one after the other', async () => {
  const handBack = new HandBack()
  const log: string[] = []
  const [first, second, third] = ['first', 'second', 'third'].map((name) => jobOf(handBack, name, log, false))
  const released = handBack.unstarted()

  expect(log).toEqual(['third goes back'])
  third!.moved.resolve()
  await settled()
  expect(log).toEqual(['third goes back', 'second goes back'])
  second!.moved.resolve()
  first!.moved.resolve()
  await released

  expect(log).toEqual(['third goes back', 'second goes back', 'first goes back'])
  for (const job of [first, second, third]) await expect(job!.guarded).rejects.toBeInstanceOf(WaitingError)
})

test('leaves what has started alone at first', async () => {
  const handBack = new HandBack()
  const log: string[] = []
  const running = jobOf(handBack, 'running', log, true)
  await handBack.unstarted()
  expect(log).toEqual([])
  running.end.resolve('done')
  await expect(running.guarded).resolves.toBe('done')
})

test('what is being given back may no longer start', async () => {
  const handBack = new HandBack()
  const moved = deferred()
  const turn = deferred()
  let mayStart: boolean | undefined
  const guarded = handBack.guard(
    () => moved.promise,
    async (started) => {
      await turn.promise
      mayStart = started()
      throw new WaitingError()
    },
  )
  const released = handBack.unstarted()
  turn.resolve()
  moved.resolve()
  await released
  await expect(guarded).rejects.toBeInstanceOf(WaitingError)
  expect(mayStart).toBe(false)
})

test('what is under way and stopped counts as given back, not as failed, and not before it is', async () => {
  const handBack = new HandBack()
  const log: string[] = []
  const jobs = ['first', 'second'].map((name) => jobOf(handBack, name, log, true))
  const released = handBack.started()
  await settled()
  expect(jobs.map(({ ended }) => ended.mock.calls)).toEqual([[], []])
  for (const { moved } of jobs) moved.resolve()
  await released
  for (const { guarded } of jobs) await expect(guarded).rejects.toBeInstanceOf(WaitingError)
})

test('tells why a job could not be given back, and gives the others back', async () => {
  const handBack = new HandBack()
  const log: string[] = []
  const [first, second] = ['first', 'second'].map((name) => jobOf(handBack, name, log, false))
  second!.moved.reject(new Error('no such lock'))
  first!.moved.resolve()
  await handBack.unstarted()
  await expect(second!.guarded).rejects.toThrow('no such lock')
  await expect(first!.guarded).rejects.toBeInstanceOf(WaitingError)
})
