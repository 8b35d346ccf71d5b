import { randomUUID } from 'node:crypto'
import { openFleet } from '@deblox/fleet/fleet'
import { connectRedis } from '@deblox/fleet/redis'
import { eventually } from '../../../../test/support/eventually'
import { contents, contentsOfRedis, fullIdOf, rowOf, useCopies } from '../../../../test/support/fleet-copies'
import { MuteProxy } from '../../../../test/support/mute-proxy'
import type { FleetCopy } from './fleet-copy'

const { use, begin, docksWith, fleet } = useCopies()

const expectTrue = async (copy: FleetCopy): Promise<void> =>
  expect(await contents(copy)).toEqual(await contentsOfRedis(fleet()))

describe('when Redis goes', () => {
  test('and comes back with its data, the copy goes on; nothing is answered meanwhile', async () => {
    await docksWith(10, 'dock-1')
    const quick = connectRedis(use.server().url, 'fail-fast')
    quick.on('error', () => undefined)
    const copy = await begin({ fleet: { redis: quick, keys: fleet().keys } })
    await use.server().kill()
    const began = performance.now()
    await expect(copy.settled()).rejects.toMatchObject({ code: 'redis_unavailable' })
    expect(performance.now() - began).toBeLessThan(1_000)
    await use.server().start()
    await eventually(() => copy.settled())
    await fleet().index.write('dock-1', [rowOf('dock-1', 77)], [fullIdOf(1)])
    await expectTrue(copy)
    quick.disconnect()
  }, 30_000)

  test('and comes back without its data, the copy is as empty, and goes on', async () => {
    await docksWith(10, 'dock-1')
    const copy = await begin()
    await use.redis().flushall()
    expect((await copy.settled()).docks).toEqual([])
    await docksWith(4, 'dock-2')
    await expectTrue(copy)
    expect((await copy.settled()).docks).toEqual(['dock-2'])
  })

  test('and does not answer, that is said in time', async () => {
    await docksWith(1, 'dock-1')
    const quick = connectRedis(use.server().url, 'fail-fast')
    quick.on('error', () => undefined)
    const copy = await begin({ fleet: { redis: quick, keys: fleet().keys } })
    await use.server().pause()
    await expect(copy.settled()).rejects.toMatchObject({ code: 'redis_unavailable' })
    use.server().resume()
    await eventually(() => copy.settled())
    quick.disconnect()
  }, 20_000)

  test('from one connection only, the copy gets another', async () => {
    await docksWith(1, 'dock-1')
    const copy = await begin({ pace: { look: 20, patience: 100 } })
    // What waits for changes is told that it waits for another stream: to it nothing happens any more.
    const reader = (copy as unknown as { reader: { next: () => Promise<unknown> } }).reader
    reader.next = () => new Promise(() => undefined)
    await fleet().index.write('dock-1', [rowOf('dock-1', 2)], [])
    await fleet().index.write('dock-1', [rowOf('dock-1', 3)], [])
    await eventually(() => copy.settled())
    await expectTrue(copy)
  })

  test.each([
    ['have been used', false],
    ['it has just opened', true],
  ])(
    'from those connections that %s, the copy gets others',
    async (_, isMute) => {
      await docksWith(1, 'dock-1')
      const proxy = await MuteProxy.before(use.server().port)
      try {
        proxy.isMute = isMute
        const beginning = begin({ url: `redis://127.0.0.1:${proxy.port}`, pace: { look: 20, patience: 100 } })
        if (isMute) await eventually(() => proxy.count === 2)
        else await beginning
        proxy.mute()
        proxy.isMute = false
        await fleet().index.write('dock-1', [rowOf('dock-1', 2)], [])
        const copy = await beginning
        await eventually(() => copy.settled())
        await expectTrue(copy)
      } finally {
        proxy.close()
      }
    },
    30_000,
  )
})

describe('whether a dock lives', () => {
  const other = () => openFleet(use.redis(), fleet().prefix)

  test('is so at the moment when it is asked: with the lease it comes and goes', async () => {
    await docksWith(1, 'dock-1', 'dock-2')
    const copy = await begin()
    const me = randomUUID()
    const live = async () => {
      await copy.leases.confirm(['dock-1', 'dock-2'])
      return ['dock-1', 'dock-2'].map((dock) => copy.isLive(dock))
    }
    expect(await live()).toEqual([false, false])
    for (let n = 0; n < 20; n++) {
      await other().docks.acquireLease('dock-1', me)
      expect(await live()).toEqual([true, false])
      await other().docks.releaseLease('dock-1', me)
      expect(await live()).toEqual([false, false])
    }
  })

  test('ends with a lease that nobody renews, within milliseconds of Redis', async () => {
    await docksWith(1, 'dock-1')
    const copy = await begin()
    const { keys, redis } = fleet()
    for (let n = 0; n < 5; n++) {
      await redis.set(keys.lease('dock-1'), 'somebody', 'PX', 150 + 40 * n)
      let seen = true
      while (seen) {
        const held = (await redis.exists(keys.lease('dock-1'))) === 1
        await copy.leases.confirm(['dock-1'])
        seen = copy.isLive('dock-1')
        const left = await redis.pttl(keys.lease('dock-1'))
        expect(seen ? held : left < 10).toBe(true)
      }
    }
  })

  test('does not end with a lease that is renewed', async () => {
    await docksWith(1, 'dock-1')
    const copy = await begin({ pace: { look: 1_000_000 } })
    const { keys, redis } = fleet()
    const until = performance.now() + 600
    while (performance.now() < until) {
      await redis.set(keys.lease('dock-1'), 'somebody', 'PX', 100)
      await copy.leases.confirm(['dock-1'])
      expect(copy.isLive('dock-1')).toBe(true)
    }
  })
})
