import fc from 'fast-check'
import { deferred } from '../../../test/support/deferred'
import { coalesce } from './coalesce'

test('a request while nothing runs begins a run', async () => {
  const task = jest.fn(async () => {})
  const ask = coalesce(task)
  await ask()
  await ask()
  expect(task).toHaveBeenCalledTimes(2)
})

test('requests during a run share one further run', async () => {
  const first = deferred()
  const task = jest.fn(async () => {}).mockReturnValueOnce(first.promise)
  const ask = coalesce(task)
  const asked = [ask(), ask(), ask(), ask()]
  expect(task).toHaveBeenCalledTimes(1)
  first.resolve()
  await Promise.all(asked)
  expect(task).toHaveBeenCalledTimes(2)
})

test('who asked for a run that fails is told, and who comes after it is served', async () => {
  const first = deferred()
  const task = jest.fn(async () => {}).mockReturnValueOnce(first.promise)
  const ask = coalesce(task)
  const failing = ask()
  const after = ask()
  first.reject(new Error('no'))
  await expect(failing).rejects.toThrow('no')
  await expect(after).resolves.toBeUndefined()
})

test('never runs twice at once, and whoever asks gets a run that began afterwards', async () => {
  // Each request comes some turns of the event loop's microtasks after the one before: also just when a run ends.
  const request = fc.record({ after: fc.nat(6), takes: fc.nat(4), fails: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 20 }), async (requests) => {
      let runs = 0
      let active = 0
      const ended: number[] = []
      const ask = coalesce(async () => {
        const run = runs++
        const { takes, fails } = requests[run % requests.length]!
        expect(++active).toBe(1)
        for (let turn = 0; turn < takes; turn++) await Promise.resolve()
        active--
        ended.push(run)
        if (fails) throw new Error('no')
      })
      const served: Promise<void>[] = []
      for (const { after } of requests) {
        for (let turn = 0; turn < after; turn++) await Promise.resolve()
        const begunBefore = runs
        const check = () => expect(ended.some((run) => run >= begunBefore)).toBe(true)
        served.push(ask().then(check, check))
      }
      await Promise.all(served)
    }),
  )
})
