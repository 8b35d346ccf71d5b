import { useFleet } from '../../../test/support/fleet-on-redis'
import { eventually } from '../../../test/support/eventually'
import { memoryWatchOf, readingOf } from './memory'
import { connectRedis } from './redis'

const use = useFleet()
const small = { slots: 1, size: 100 }

/** Sets Redis's bound so that this part of it is in use. */
async function fillTo(ratio: number): Promise<void> {
  const info = await use.redis().info('memory')
  const used = Number(/used_memory:(\d+)/.exec(info)?.[1])
  await use.redis().call('CONFIG', 'SET', 'maxmemory', String(Math.round(used / ratio)))
}

afterEach(() => use.redis().call('CONFIG', 'SET', 'maxmemory', '0'))

test('a Redis with room takes all', async () => {
  await fillTo(0.5)
  const memory = memoryWatchOf(use.redis())
  await memory.requireRoom({ slots: 100, size: 100 })
  expect(await memory.ratio()).toBeGreaterThan(0.45)
})

test.each([
  ['several slots', { slots: 2, size: 100 }],
  ['many characters', { slots: 1, size: 16_385 }],
])('one that has little left refuses %s, and takes what is small', async (_, demand) => {
  await fillTo(0.75)
  const memory = memoryWatchOf(use.redis())
  await expect(memory.requireRoom(demand)).rejects.toMatchObject({
    code: 'redis_full',
    status: 503,
    message: expect.stringMatching(
      /^expected Redis to have less than 70 % of its memory in use .*, got 7\d %; try again/,
    ),
    details: { limit: 'redis-memory' },
  })
  await memory.requireRoom(small)
})

test('one that is nearly full refuses all, and takes it again when it has room', async () => {
  await fillTo(0.9)
  let time = 0
  const memory = memoryWatchOf(use.redis(), () => time)
  await expect(memory.requireRoom(small)).rejects.toMatchObject({
    code: 'redis_full',
    message: expect.stringContaining('less than 85 %'),
  })
  await fillTo(0.5)
  await expect(memory.requireRoom(small)).rejects.toMatchObject({ code: 'redis_full' })
  time += 1_000
  await memory.requireRoom(small)
})

test('what was let in counts before Redis tells of it', async () => {
  await fillTo(0.5)
  const memory = memoryWatchOf(use.redis(), () => 0)
  const flood = async () => {
    for (let n = 0; n < 10_000; n++) await memory.requireRoom(small)
  }
  await expect(flood()).rejects.toMatchObject({ code: 'redis_full' })
})

test('many who ask at once share one reading', async () => {
  await use.redis().call('CONFIG', 'RESETSTAT')
  const memory = memoryWatchOf(use.redis())
  await Promise.all(Array.from({ length: 50 }, () => memory.requireRoom(small)))
  expect(await use.redis().info('commandstats')).toMatch(/cmdstat_info:calls=1,/)
})

test('while Redis is away it says so, and reads again when it is back', async () => {
  const client = connectRedis(use.server().url, 'fail-fast')
  client.on('error', () => {})
  await eventually(() => client.status === 'ready')
  const memory = memoryWatchOf(client)
  await use.server().kill()
  await expect(memory.requireRoom(small)).rejects.toMatchObject({ code: 'redis_unavailable' })
  await use.server().start()
  await eventually(async () => expect(await memory.requireRoom(small)).toBeUndefined())
  client.disconnect()
})

test('without maxmemory nine tenths of the machine’s memory are the bound', () => {
  expect(readingOf({ used_memory: '50', maxmemory: '0', total_system_memory: '1000' })).toEqual({
    used: 50,
    bound: 900,
  })
})

test('buffers that Redis itself does not count are not counted', () => {
  const info = { used_memory: '50', mem_not_counted_for_evict: '20', maxmemory: '100' }
  expect(readingOf(info)).toEqual({ used: 30, bound: 100 })
})

test('a Redis that hides its figures is not judged', () => {
  expect(readingOf({})).toEqual({ used: 0, bound: Infinity })
})
