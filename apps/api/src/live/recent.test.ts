import { type Entry, RecentChanges } from './recent'

const entry = (n: number): Entry => ({ id: `${n}-0`, change: { id: `${n}-0` } as Entry['change'] })
const numbers = (from: number, count: number): Entry[] => Array.from({ length: count }, (_, n) => entry(from + n))
const idsAfter = (recent: RecentChanges, id: string, most = 10_000) =>
  recent.after(id, most)?.changes.map(({ id }) => id)

test('before it has begun it knows nothing', () => {
  expect(new RecentChanges().after('1-0', 10)).toBeUndefined()
})

test('it gives what came after an entry, in order, and so many', () => {
  const recent = new RecentChanges()
  recent.reset('4-0')
  recent.push(numbers(5, 5))
  expect(idsAfter(recent, '4-0')).toEqual(['5-0', '6-0', '7-0', '8-0', '9-0'])
  expect(idsAfter(recent, '6-0')).toEqual(['7-0', '8-0', '9-0'])
  expect(recent.after('5-0', 2)).toMatchObject({ last: '7-0', changes: [{ id: '6-0' }, { id: '7-0' }] })
  expect(recent.after('9-0', 2)).toEqual({ last: '9-0', changes: [] })
})

test('it does not know what came after an entry that is too old, that has not come yet, or that never was', () => {
  const recent = new RecentChanges()
  recent.reset('4-0')
  recent.push(numbers(5, 5))
  expect(recent.after('3-9', 10)).toBeUndefined()
  expect(recent.after('10-0', 10)).toBeUndefined()
  expect(recent.after('6-7', 10)).toBeUndefined()
})

test('what is no change has its place', () => {
  const recent = new RecentChanges()
  recent.reset('1-0')
  recent.push([{ id: '2-0', change: undefined }])
  expect(recent.after('1-0', 10)).toEqual({ last: '2-0', changes: [] })
})

test('it keeps the last ones, and never says that it has what it has not', () => {
  const recent = new RecentChanges()
  recent.reset('0-0')
  for (let n = 1; n < 20_000; n += 7) {
    recent.push(numbers(n, 7))
    const near = idsAfter(recent, `${Math.max(0, n - 900)}-0`)
    expect(near?.[0]).toBe(`${Math.max(0, n - 900) + 1}-0`)
  }
  expect(recent.after('17000-0', 10)).toBeUndefined()
  let oldest = 20_000
  while (recent.after(`${oldest - 1}-0`, 1)) oldest--
  expect(oldest).toBeGreaterThan(17_000)
  expect(idsAfter(recent, `${oldest}-0`)).toHaveLength(parseInt(recent.last) - oldest)
})
