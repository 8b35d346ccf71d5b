import { eventually } from '../../../../test/support/eventually'
import {
  contents,
  contentsOfRedis,
  fullIdOf,
  imageOf,
  networkOf,
  rowOf,
  useCopies,
  volumeOf,
} from '../../../../test/support/fleet-copies'
import type { FleetCopy } from './fleet-copy'

const { begin, docksWith, fleet } = useCopies()

const expectTrue = async (copy: FleetCopy): Promise<void> =>
  expect(await contents(copy)).toEqual(await contentsOfRedis(fleet()))

describe('a copy has what Redis has', () => {
  test('of all docks when it has begun, of every kind', async () => {
    await docksWith(30, ...Array.from({ length: 25 }, (_, n) => `dock-${n}`))
    const { index } = fleet()
    await index.settle('image', 'dock-3', [imageOf('dock-3', 1, ['busybox:latest'])])
    await index.settle('volume', 'dock-3', [volumeOf('dock-3', 'data')])
    await index.settle('network', 'dock-3', [networkOf('dock-3', 2, 'front')])
    const copy = await begin()
    const tables = await copy.settled()
    expect(tables.count('container')).toBe(25 * 30)
    expect([...tables.rows('image', 'dock-3')]).toEqual([imageOf('dock-3', 1, ['busybox:latest'])])
    expect([...tables.rows('volume', 'dock-3')]).toEqual([volumeOf('dock-3', 'data')])
    expect([...tables.rows('network', 'dock-3')]).toEqual([networkOf('dock-3', 2, 'front')])
    await expectTrue(copy)
  })

  test('as soon as it was written, on every replica', async () => {
    await docksWith(1, 'dock-1')
    const copies = [await begin(), await begin()]
    const { index, docks } = fleet()
    for (let n = 10; n < 60; n++) {
      await index.write('dock-1', [rowOf('dock-1', n)], n % 3 === 0 ? [fullIdOf(n - 1)] : [])
      for (const copy of copies)
        expect((await copy.settled()).row('container', 'dock-1', fullIdOf(n))?.id).toBe(fullIdOf(n))
    }
    await index.settle('volume', 'dock-1', [volumeOf('dock-1', 'data'), volumeOf('dock-1', 'more')])
    await index.settle('volume', 'dock-1', [volumeOf('dock-1', 'more')])
    await docks.register('dock-2')
    await index.write('dock-2', [rowOf('dock-2', 100)], [])
    for (const copy of copies) {
      expect([...(await copy.settled()).rows('volume', 'dock-1')].map(({ name }) => name)).toEqual(['more'])
      await expectTrue(copy)
    }
  })

  test('when a dock is unregistered, and when it comes back', async () => {
    await docksWith(5, 'dock-1', 'dock-2')
    const copy = await begin()
    await fleet().docks.unregister('dock-1')
    expect((await copy.settled()).docks).toEqual(['dock-2'])
    await expectTrue(copy)
    await docksWith(7, 'dock-1')
    expect((await copy.settled()).docks).toEqual(['dock-1', 'dock-2'])
    await expectTrue(copy)
  })

  test('while it is being changed by many, from its first moment on', async () => {
    await docksWith(40, 'dock-1', 'dock-2', 'dock-3')
    const { index, docks } = fleet()
    const over = new AbortController()
    const churn = async (dock: string, from: number) => {
      for (let n = from; !over.signal.aborted; n++) {
        await index.write(dock, [rowOf(dock, n), rowOf(dock, from, { name: `again-${n}` })], [fullIdOf(n - 3)])
      }
    }
    const churning = [churn('dock-1', 1_000), churn('dock-2', 2_000), churn('dock-3', 3_000)]
    const copies = await Promise.all([begin(), begin(), begin()])
    await docks.unregister('dock-4')
    over.abort()
    await Promise.all(churning)
    for (const copy of copies) await expectTrue(copy)
  })
})

describe('what a copy does not believe', () => {
  test('is what anybody can say in the stream about another dock’s rows', async () => {
    await docksWith(2, 'dock-1')
    const copy = await begin()
    const { keys, redis } = fleet()
    const forged = JSON.stringify({ ...rowOf('dock-1', 1), owner: 'mallory', id: undefined, dock: undefined })
    const tell = async (k: string, o: string, d: string, i: string, r = '') => {
      await redis.xadd(keys.changes, '*', 'k', k, 'o', o, 'd', d, 'i', i, 'r', r)
      await expectTrue(copy)
    }
    await tell('container', 'set', 'dock-1', fullIdOf(1), forged)
    await tell('container', 'gone', 'dock-1', fullIdOf(2), forged)
    await tell('container', 'set', 'dock-1', fullIdOf(3), forged)
    await tell('container', 'set', 'nowhere', fullIdOf(1), forged)
    await tell('dock', 'gone', 'dock-1', 'dock-1')
    await tell('dock', 'set', 'nowhere', 'nowhere', '{}')
    await redis.xadd(keys.changes, '*', 'nonsense', 'x')
    await expectTrue(copy)
    expect((await copy.settled()).docks).toEqual(['dock-1'])
  })

  test('stands where it was for a while where nobody told of it, and no longer', async () => {
    await docksWith(2, 'dock-1', 'dock-2')
    const copy = await begin({ pace: { look: 20, round: 100 } })
    const { keys, redis } = fleet()
    await redis.hdel(keys.containers('dock-2'), fullIdOf(3))
    await redis.srem(keys.docks, 'dock-1')
    await eventually(async () => expectTrue(copy))
    expect((await copy.settled()).docks).toEqual(['dock-2'])
  })

  test('is a dock’s rows that cannot be read, and the others are there', async () => {
    await docksWith(2, 'dock-1', 'dock-2', 'dock-3')
    const { keys, redis } = fleet()
    await redis.hset(keys.containers('dock-1'), fullIdOf(9), 'spoilt')
    await redis.set(keys.containers('dock-2'), 'spoilt')
    await redis.set(keys.dock('dock-2'), 'spoilt')
    const copy = await begin()
    const tables = await copy.settled()
    expect(['dock-1', 'dock-2', 'dock-3'].map((dock) => [...tables.rows('container', dock)].length)).toEqual([2, 0, 2])
  })
})

describe('where changes are missing', () => {
  test('because the stream was trimmed, all is read anew', async () => {
    await docksWith(3, 'dock-1')
    const copy = await begin()
    const { keys, redis, index } = fleet()
    for (let n = 0; n < 20; n++) {
      // In one step, as many others may be quicker than a reader.
      await redis
        .multi()
        .hdel(keys.containers('dock-1'), fullIdOf(1 + (n % 3)))
        .xadd(keys.changes, 'MAXLEN', 0, '*', 'k', 'lost')
        .xadd(keys.changes, '*', 'k', 'later')
        .xtrim(keys.changes, 'MAXLEN', 1)
        .exec()
      await expectTrue(copy)
      await index.write('dock-1', [rowOf('dock-1', 1 + (n % 3), { name: `again-${n}` })], [])
      await expectTrue(copy)
    }
  })

  test('because the stream is gone, or was set back, all is read anew', async () => {
    await docksWith(3, 'dock-1')
    const copy = await begin()
    const { keys, redis } = fleet()
    await redis.multi().hdel(keys.containers('dock-1'), fullIdOf(1)).del(keys.changes).exec()
    await expectTrue(copy)
    await redis
      .multi()
      .hdel(keys.containers('dock-1'), fullIdOf(2))
      .del(keys.changes)
      .xadd(keys.changes, '1-1', 'k', 'x')
      .exec()
    await expectTrue(copy)
    expect([...(await copy.settled()).rows('container', 'dock-1')]).toHaveLength(1)
  })

  test('nobody is answered from what is there of it until then', async () => {
    await docksWith(50, ...Array.from({ length: 60 }, (_, n) => `dock-${n}`))
    const copy = await begin()
    const { keys, redis } = fleet()
    await redis.del(keys.changes)
    const seen = new Set<number>()
    const over = new AbortController()
    const again = eventually(async () => {
      await redis.xadd(keys.changes, '*', 'k', 'x')
      const isWhole = (await copy.settled()).count('container') === 3_000
      if (isWhole) over.abort()
      return isWhole
    })
    while (!over.signal.aborted) seen.add((await copy.settled()).count('container'))
    await again
    expect([...seen]).toEqual([3_000])
  })
})

test('who listens is told of each change once it is in the copy', async () => {
  await docksWith(1, 'dock-1')
  const copy = await begin()
  const told: string[] = []
  const stop = copy.onChange(({ kind, op, object }) => {
    told.push(
      `${kind} ${op} ${object === fullIdOf(5) ? 'five' : object} ${copy.now?.row('container', 'dock-1', fullIdOf(5))?.name}`,
    )
  })
  await fleet().index.write('dock-1', [rowOf('dock-1', 5)], [])
  await fleet().docks.patch('dock-1', { drain: true })
  await copy.settled()
  stop()
  await fleet().index.write('dock-1', [rowOf('dock-1', 6)], [])
  await copy.settled()
  expect(told).toEqual(['container set five web-5', 'dock set dock-1 web-5'])
})
