import type { Placement, Placements } from '@deblox/fleet/placement'
import { pino } from 'pino'
import { useDockerDouble } from '../../../libs/actions/src/testing/docker-double'
import { graceMs, Reaper } from './reaper'

const double = useDockerDouble()
const listRoute = 'GET /containers/json'
const container = (Id: string, slot = 1, epoch = 1) => ({
  Id,
  Labels: { 'deblox.job': 'job-7', 'deblox.slot': String(slot), 'deblox.epoch': String(epoch) },
})
const ours = { hostname: 'here', epoch: 1 }
const anothers = { hostname: 'there', epoch: 2 }

/** A reaper with a double of the claims, by slot, and a clock of the test's own. */
function reaperDouble(claims: (Placement | null)[], made: string[] = []) {
  const clock = { now: 0 }
  const read = async (slots: readonly { slot: number }[]) => slots.map(({ slot }) => claims[slot - 1] ?? null)
  const placements = { read } as unknown as Placements
  const kept = new Set(made)
  const settled = {
    has: (id: string) => kept.has(id),
    all: () => [...kept],
    forget: (ids: readonly string[]) => ids.forEach((id) => kept.delete(id)),
  }
  const reaper = new Reaper(double.docker, placements, settled, 'here', pino({ enabled: false }), () => clock.now)
  return { reaper, clock, claims, kept }
}
const removed = () => double.asked.map(({ what }) => what).filter((what) => what.startsWith('DELETE'))

let reaper: Reaper
afterEach(() => reaper?.stop())

test('at the return what was superseded goes at once, and nothing else', async () => {
  double.answer(listRoute, { status: 200, body: [container('a', 1), container('b', 2), container('c', 3)] })
  double.answer('DELETE /containers/b', { status: 204 })
  ;({ reaper } = reaperDouble([ours, anothers, null]))
  await reaper.atReturn()
  expect(removed()).toEqual(['DELETE /containers/b'])
})

test('at the return what cannot be removed keeps no other, and is told', async () => {
  double.answer(listRoute, { status: 200, body: [container('a', 1), container('b', 2), container('c', 3)] })
  double.answer('DELETE /containers/a', { status: 409, body: { message: 'removal is already in progress' } })
  double.answer('DELETE /containers/b', { status: 404, body: { message: 'No such container' } })
  double.answer('DELETE /containers/c', { status: 204 })
  ;({ reaper } = reaperDouble([anothers, anothers, anothers]))
  await expect(reaper.atReturn()).rejects.toMatchObject({ cause: { statusCode: 409 } })
  expect(removed()).toHaveLength(3)
})

test('what was made here for good stays, whoever is said to have its slot; what was made before it goes', async () => {
  const before = { ...container('b', 2, 1) }
  double.answer(listRoute, { status: 200, body: [container('a', 1), before, container('c', 2, 2)] })
  double.answer('DELETE /containers/b', { status: 204 })
  const { reaper: one, kept } = reaperDouble([anothers, { hostname: 'here', epoch: 2 }], ['a', 'c', 'gone'])
  reaper = one
  await reaper.atReturn()
  expect(removed()).toEqual(['DELETE /containers/b'])
  expect([...kept]).toEqual(['a', 'c'])
})

test('a list that was cut short removes nothing', async () => {
  double.answer(listRoute, (response) => response.writeHead(200).end('[{"Id":"a"'))
  ;({ reaper } = reaperDouble([anothers]))
  await expect(reaper.atReturn()).rejects.toThrow('expected a list of containers')
  await expect(reaper.look()).rejects.toThrow('expected a list of containers')
  expect(removed()).toEqual([])
})

describe('the look with every full list', () => {
  beforeEach(() => {
    double.answer(listRoute, { status: 200, body: [container('a')] })
    double.answer('DELETE /containers/a', { status: 204 })
  })

  test('removes what is superseded still after the grace', async () => {
    const { clock, reaper: made } = reaperDouble([anothers])
    reaper = made
    await reaper.look()
    clock.now = graceMs - 1
    await reaper.look()
    expect(removed()).toEqual([])
    clock.now = graceMs
    await reaper.look()
    expect(removed()).toEqual(['DELETE /containers/a'])
  })

  test('begins the grace anew for what was not superseded in between', async () => {
    const { clock, claims, reaper: made } = reaperDouble([anothers])
    reaper = made
    await reaper.look()
    claims[0] = ours
    await reaper.look()
    claims[0] = anothers
    clock.now = graceMs
    await reaper.look()
    expect(removed()).toEqual([])
  })

  test('is followed by a second one when the grace is over', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] })
    try {
      ;({ reaper } = reaperDouble([anothers]))
      const first = reaper.look()
      await jest.advanceTimersByTimeAsync(0)
      await first
      const second = jest.spyOn(reaper, 'look').mockResolvedValue()
      await jest.advanceTimersByTimeAsync(graceMs)
      expect(second).toHaveBeenCalledTimes(1)
    } finally {
      jest.useRealTimers()
    }
  })
})
