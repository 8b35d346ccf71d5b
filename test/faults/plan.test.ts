import { kinds } from './kinds'
import { planRounds, type Size, tell } from './plan'

const size: Size = { faults: [12, 14], seconds: 15, long: false }

const schedule = (seed: number, rounds: number): string[][] => {
  const planned = planRounds(kinds, seed, size)
  return Array.from({ length: rounds }, () => planned.next().value.map(tell))
}

test('the same seed gives the same schedule, another one another', () => {
  expect(schedule(7, 20)).toEqual(schedule(7, 20))
  expect(schedule(8, 20)).not.toEqual(schedule(7, 20))
})

test('there are more than 40 kinds of faults, each with a name of its own, and all of them have their turn', () => {
  const names = kinds.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThan(40)

  const short = kinds.filter(({ longOnly }) => !longOnly).map(({ name }) => name)
  const told = schedule(1, 10).flat().join('\n')
  expect(short.filter((name) => !told.includes(name))).toEqual([])
})

test('nothing is in the hands of two faults at once', () => {
  const planned = planRounds(kinds, 3, size)
  for (let round = 0; round < 50; round++) {
    const busyUntil = new Map<string, number>()
    for (const { kind, target, at } of planned.next().value) {
      for (const lane of kind.lanes(target)) {
        expect(at).toBeGreaterThanOrEqual(busyUntil.get(lane) ?? 0)
        busyUntil.set(lane, at + kind.takes)
      }
    }
  }
})
