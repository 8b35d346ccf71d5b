import { SeenIds } from './seen-ids'

test('an id is new once, then just seen, then seen long ago, and forgotten when it would be refused for its age', () => {
  const seen = new SeenIds()
  expect(seen.add('a', 0, 40_000)).toBe('never')
  expect(seen.add('a', 5_000, 45_000)).toBe('just now')
  expect(seen.add('a', 11_000, 51_000)).toBe('long ago')
  expect(seen.add('b', 20_000, 60_000)).toBe('never')
  expect(seen.size).toBe(2)
  expect(seen.add('c', 41_000, 81_000)).toBe('never')
  expect(seen.size).toBe(2)
})
