import { judgeFitness } from './fitness'

const good = { redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', maxmemory: '1073741824' }

test('a Redis that keeps what it is given is fit', () => {
  expect(judgeFitness(good)).toEqual({ refusals: [], warnings: [] })
})

test.each(['allkeys-lru', 'volatile-lru', 'allkeys-random', 'volatile-ttl', 'volatile-lfu'])(
  'one that evicts by %s is refused, since it would delete accepted jobs',
  (maxmemory_policy) => {
    const { refusals } = judgeFitness({ ...good, maxmemory_policy })
    expect(refusals).toEqual([
      expect.stringMatching(`^maxmemory-policy: expected noeviction .*, got ${maxmemory_policy}$`),
    ])
  },
)

test.each(['5.0.14', '6.0.16', '2.8.1'])('version %s is refused as too old', (redis_version) => {
  expect(judgeFitness({ ...good, redis_version }).refusals).toEqual([
    `redis_version: expected 6.2 or later, got ${redis_version}`,
  ])
})

test.each(['6.2.0', '6.10.1', '7.2.4', '8.0', '10.0.1'])('version %s will do', (redis_version) => {
  expect(judgeFitness({ ...good, redis_version }).refusals).toEqual([])
})

test('one without an append-only file is warned about, and may be used', () => {
  const { refusals, warnings } = judgeFitness({ ...good, aof_enabled: '0' })
  expect(refusals).toEqual([])
  expect(warnings).toEqual([expect.stringMatching(/^appendonly: expected yes .*, got no$/)])
})

test('one that hides itself is warned about, not guessed', () => {
  expect(judgeFitness({})).toEqual({ refusals: [], warnings: [expect.stringContaining('+info')] })
})

test('tells of everything that is wrong at once', () => {
  const { refusals } = judgeFitness({ redis_version: '5.0.0', maxmemory_policy: 'allkeys-lru', aof_enabled: '0' })
  expect(refusals).toHaveLength(2)
})

test('one without a bound of its memory is warned about', () => {
  expect(judgeFitness({ ...good, maxmemory: '0' })).toEqual({
    refusals: [],
    warnings: [expect.stringMatching(/^maxmemory: expected a bound .*, got 0$/)],
  })
})

test.each([
  [6_000, '6 s ahead'],
  [-3_600_000, '3600 s behind'],
])('a clock that is off by %d ms is warned about', (clock, told) => {
  expect(judgeFitness(good, clock)).toEqual({
    refusals: [],
    warnings: [`clock: expected Redis's within 5 s of this machine's, got one that is ${told}`],
  })
})

test.each([4_900, -4_900])('one that is off by %d ms will do', (clock) => {
  expect(judgeFitness(good, clock).warnings).toEqual([])
})
