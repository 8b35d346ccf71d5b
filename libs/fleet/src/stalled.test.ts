import { useFleet } from '../../../test/support/fleet-on-redis'
import { type JobRecord, slotJobId } from './job'
import { dockTopic } from './names'
import { freeStalled, takeBack } from './stalled'
import { recordOn } from './testing/record'
import { loseLock, take } from './testing/taking'

const use = useFleet()
const topic = dockTopic('dock-1')

async function accepted(): Promise<JobRecord> {
  const record = recordOn(use.fleet().keys.replies('replica'))
  await use.fleet().jobs.accept({ record })
  return record
}

/** So many jobs, all taken from the topic, in the order in which they were. */
async function taken(count: number): Promise<string[]> {
  for (let n = 0; n < count; n++) await accepted()
  const ids = []
  for (let n = 0; n < count; n++) ids.push((await take(use.fleet(), topic)).id ?? '')
  return ids
}

const next = async (count: number) => {
  const ids = []
  for (let n = 0; n < count; n++) ids.push((await take(use.fleet(), topic)).id)
  return ids
}
const counts = () => use.fleet().topics.queue(topic).getJobCounts('waiting', 'active')

test('what a dead worker had taken goes back before what waits, in the order in which it was taken', async () => {
  const ids = await taken(3)
  const later = await accepted()
  await takeBack(use.fleet(), topic)
  expect(await counts()).toEqual({ waiting: 4, active: 0 })
  expect(await next(4)).toEqual([...ids, slotJobId(later.id, 1)])
})

test('what was taken over and over is left to BullMQ, which counts and gives it up at last', async () => {
  const [often, seldom] = await taken(2)
  await use.redis().hset(`${use.fleet().prefix}:${topic}:${often}`, 'ats', 20)
  await takeBack(use.fleet(), topic)
  expect(await next(1)).toEqual([seldom])
  expect(await counts()).toEqual({ waiting: 0, active: 2 })
})

test('a record that cannot be read keeps the others from nothing', async () => {
  const [broken, whole] = await taken(2)
  await use.redis().hset(`${use.fleet().prefix}:${topic}:${broken}`, 'data', '{"no": JSON')
  await takeBack(use.fleet(), topic)
  expect(await next(1)).toEqual([whole])
})

test('one of which nothing is left but its name is passed over', async () => {
  const [gone, whole] = await taken(2)
  await use.redis().del(`${use.fleet().prefix}:${topic}:${gone}`)
  await takeBack(use.fleet(), topic)
  expect(await next(1)).toEqual([whole])
})

describe('for a worker that does not come back', () => {
  test('only what has no lock any more goes back', async () => {
    const ids = await taken(3)
    for (const id of ids.slice(0, 2)) await loseLock(use.fleet(), topic, { id } as never)
    await freeStalled(use.fleet(), topic)
    expect(await counts()).toEqual({ waiting: 2, active: 1 })
    expect(await next(2)).toEqual(ids.slice(0, 2))
  })

  test('what is taken while it looks is left alone', async () => {
    const redis = use.redis()
    const [stalled = ''] = await taken(1)
    await loseLock(use.fleet(), topic, { id: stalled } as never)
    for (let n = 0; n < 4; n++) await accepted()
    const lrange = redis.lrange.bind(redis)
    jest.spyOn(redis, 'lrange').mockImplementation(async (...range: unknown[]) => {
      const found = await (lrange as (...args: unknown[]) => Promise<string[]>)(...range)
      await take(use.fleet(), topic)
      return found
    })
    await freeStalled(use.fleet(), topic)
    jest.restoreAllMocks()
    // Nothing but the one that was stalled is there for a second time.
    const waiting = await redis.lrange(`${use.fleet().prefix}:${topic}:wait`, 0, -1)
    const before = await Promise.all(waiting.map((id) => redis.hget(`${use.fleet().prefix}:${topic}:${id}`, 'ats')))
    expect(waiting.filter((_, n) => before[n] !== null)).toEqual([stalled])
  })

  test('what another has put back meanwhile, and somebody has taken, is left alone', async () => {
    const redis = use.redis()
    const [stalled = ''] = await taken(1)
    const lock = `${use.fleet().prefix}:${topic}:${stalled}:lock`
    await redis.del(lock)
    const pipeline = redis.pipeline.bind(redis)
    jest.spyOn(redis, 'pipeline').mockImplementationOnce(() => {
      const asked = pipeline()
      const exec = asked.exec.bind(asked)
      asked.exec = async () => {
        const found = await exec()
        await redis.set(lock, 'somebody')
        return found
      }
      return asked
    })
    await freeStalled(use.fleet(), topic)
    jest.restoreAllMocks()
    expect(await counts()).toEqual({ waiting: 0, active: 1 })
    expect(await redis.get(lock)).toBe('somebody')
  })

  test('what cannot be put back is not locked either: BullMQ looks after it', async () => {
    const [broken = ''] = await taken(1)
    const key = `${use.fleet().prefix}:${topic}:${broken}`
    await use.redis().del(`${key}:lock`)
    await use.redis().hset(key, 'ats', 20)
    await freeStalled(use.fleet(), topic)
    expect(await use.redis().exists(`${key}:lock`)).toBe(0)
  })

  test('a topic from which nothing was taken stays as it is', async () => {
    await accepted()
    await freeStalled(use.fleet(), topic)
    expect(await counts()).toEqual({ waiting: 1, active: 0 })
  })
})
