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

  test('a topic from which nothing was taken stays as it is', async () => {
    await accepted()
    await freeStalled(use.fleet(), topic)
    expect(await counts()).toEqual({ waiting: 1, active: 0 })
  })
})
