import { FleetClock } from '@deblox/fleet/clock'
import type { JobPayload } from '@deblox/fleet/job'
import { deferred } from '../../../test/support/deferred'
import { slotOf } from './testing/run-context-double'
import { LeftLine, Turns } from './turns'

const told: [number, boolean][] = []
const clock = new FleetClock()
const turnsOf = () => {
  told.length = 0
  const queued = async ({ slot }: JobPayload, waits: boolean) => void told.push([slot, waits])
  return new Turns({ queued }, () => clock.now())
}
const stop = (slot: number, more: Partial<JobPayload> = {}) => slotOf('stop-container', { id: 'c1' }, { slot, ...more })
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** One that has its turn until it is told to end. */
function first(turns: Turns) {
  const end = deferred<string>()
  return { end, done: turns.run(stop(1), null, () => end.promise) }
}

test('jobs of one container have their turns one after the other, and stand as waiting until then', async () => {
  const turns = turnsOf()
  const { end, done } = first(turns)
  const second = turns.run(stop(2), null, async () => 'second')
  expect(told).toEqual([[2, true]])
  end.resolve('first')
  await expect(Promise.all([done, second])).resolves.toEqual(['first', 'second'])
  expect(told).toEqual([
    [2, true],
    [2, false],
  ])
})

test('however long Redis takes to hear that one waits, it hears last that it does not', async () => {
  const heard = deferred()
  const said: boolean[] = []
  const queued = async (_: JobPayload, waits: boolean) => {
    if (waits) await heard.promise
    said.push(waits)
  }
  const turns = new Turns({ queued }, () => clock.now())
  const { end, done } = first(turns)
  const second = turns.run(stop(2), null, async () => 'second')
  end.resolve('first')
  await Promise.all([done, second])
  heard.resolve()
  await settled()
  expect(said).toEqual([true, false])
})

test('a job whose turn has come at once tells nothing', async () => {
  const turns = turnsOf()
  await turns.run(stop(1), null, async () => 'done')
  expect(told).toEqual([])
})

test('one that is cancelled leaves the line at once, is never begun, and the next one has its turn', async () => {
  const turns = turnsOf()
  const { end, done } = first(turns)
  const cancel = new AbortController()
  const task = jest.fn()
  const second = turns.run(stop(2), cancel.signal, task)
  const third = turns.run(stop(3), null, async () => 'third')
  cancel.abort()
  await expect(second).rejects.toBeInstanceOf(LeftLine)
  await expect(second).rejects.toMatchObject({ why: { code: 'job_cancelled' } })
  end.resolve('first')
  await expect(Promise.all([done, third])).resolves.toEqual(['first', 'third'])
  expect(task).not.toHaveBeenCalled()
})

test('one whose deadline comes leaves the line at once', async () => {
  const turns = turnsOf()
  const { end, done } = first(turns)
  const late = turns.run(stop(2, { expiresAt: clock.now() + 20 }), new AbortController().signal, async () => 'late')
  await expect(late).rejects.toMatchObject({ why: { code: 'job_expired' } })
  end.resolve('first')
  await done
})

test('one that may have been begun before has to stay in the line', async () => {
  const turns = turnsOf()
  const { end, done } = first(turns)
  const stays = turns.run(stop(2, { expiresAt: clock.now() - 1 }), null, async () => 'its turn')
  await settled()
  end.resolve('first')
  await expect(Promise.all([done, stays])).resolves.toEqual(['first', 'its turn'])
})

test('a cancel after the turn has come is the task’s own business', async () => {
  const turns = turnsOf()
  const cancel = new AbortController()
  const { end, done } = first(turns)
  const begun = deferred()
  const ends = deferred<string>()
  const second = turns.run(stop(2), cancel.signal, () => {
    begun.resolve()
    return ends.promise
  })
  end.resolve('first')
  await begun.promise
  cancel.abort()
  ends.resolve('went on')
  await expect(Promise.all([done, second])).resolves.toEqual(['first', 'went on'])
})
