import { useFleet } from '../../../test/support/fleet-on-redis'
import { digest } from './digest'
import { limitsOf } from './limits'
import { clusterTopic, dockTopic, times } from './names'

const use = useFleet()
const topic = dockTopic('dock1')
const actor = 'someone'

const limits = () => {
  const { redis, keys, prefix } = use.fleet()
  return limitsOf(redis, keys, prefix, { queueDepth: 10, jobsPerOwner: 3 })
}

const add = (count: number, options: { delay?: number; priority?: number } = {}, to = topic) =>
  Promise.all(
    Array.from({ length: count }, () =>
      use
        .fleet()
        .topics.queue(to)
        .add('start-container', {} as never, options),
    ),
  )

const inFlight = (count: number, ageMs = 0) => {
  const { redis, keys } = use.fleet()
  const members = Array.from({ length: count }, (_, n) => [Date.now() - ageMs, `job-${ageMs}-${n}`]).flat()
  return redis.zadd(keys.inflight(digest(actor)), ...(members as [number, string]))
}

test('what is within the limits passes', async () => {
  await add(9)
  await inFlight(2)
  expect(await limits().check({ actor, topics: [topic] })).toBeUndefined()
})

test('jobs that wait in any way count: in turn, by priority, and for later', async () => {
  await add(4)
  await add(3, { priority: 1 })
  await add(3, { delay: 60_000 })
  await expect(limits().check({ actor, topics: [topic] })).rejects.toMatchObject({
    code: 'too_many_jobs',
    status: 429,
    message: expect.stringMatching(/^jobs: expected at most 10 to wait for dock1, got 10 and 1 more; come back when/),
    details: { limit: 'queue-depth', dock: 'dock1', most: 10, waiting: 10, retryAfter: 5 },
  })
  expect(await limits().check({ actor, topics: [dockTopic('dock2'), clusterTopic] })).toBeUndefined()
})

test('those on a paused topic count as well', async () => {
  await use.fleet().topics.queue(topic).pause()
  await add(10)
  await expect(limits().check({ actor, topics: [topic] })).rejects.toMatchObject({ code: 'too_many_jobs' })
})

test('all slots of a job count on their topics', async () => {
  await add(8, {}, clusterTopic)
  const topics = [dockTopic('dock2'), clusterTopic, clusterTopic]
  expect(await limits().check({ actor, topics })).toBeUndefined()
  await expect(limits().check({ actor, topics: [...topics, clusterTopic] })).rejects.toMatchObject({
    message: expect.stringMatching(/^jobs: expected at most 10 to wait for any dock, got 8 and 3 more;/),
  })
})

test('an owner with too many jobs that have not ended is refused, and others are not', async () => {
  await inFlight(3)
  await expect(limits().check({ actor, topics: [topic] })).rejects.toMatchObject({
    code: 'too_many_jobs',
    message: 'jobs: expected fewer than 3 of yours that have not ended, got 3; wait for some to end, or cancel them',
    details: { limit: 'jobs-per-owner', most: 3, inFlight: 3, retryAfter: 5 },
  })
  expect(await limits().check({ actor: 'other', topics: [topic] })).toBeUndefined()
})

test('somebody may have a smaller bound of his own', async () => {
  await inFlight(2)
  await limits().check({ actor, topics: [topic], most: 3 })
  await expect(limits().check({ actor, topics: [topic], most: 2 })).rejects.toMatchObject({ details: { most: 2 } })
})

test('jobs of which nothing was heard for a day no longer count against their owner', async () => {
  await inFlight(5, times.inflight + 1_000)
  expect(await limits().check({ actor, topics: [topic] })).toBeUndefined()
})

test('a look takes one command', async () => {
  await limits().check({ actor, topics: [topic] })
  await use.redis().call('CONFIG', 'RESETSTAT')
  await limits().check({ actor, topics: [topic, dockTopic('dock2'), clusterTopic] })
  const stats = await use.redis().info('commandstats')
  expect(stats).toMatch(/cmdstat_evalsha:calls=1,/)
})
