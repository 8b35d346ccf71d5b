import { useFleet } from '../../../test/support/fleet-on-redis'
import { type Handover, handoversOf } from './handovers'
import { newJobId } from './job'
import { dockTopic } from './names'
import { connectRedis, type RedisClient, whenReady } from './redis'
import { topicsOf } from './topics'

const use = useFleet()
const topic = dockTopic('dock2')
const data = { v: 2, action: 'start-container' } as unknown as Handover['data']
let limited: RedisClient

/** A connection whose user may do all but touch dock2's topic. */
beforeEach(async () => {
  const { prefix } = use.fleet()
  const rules = ['on', '>password', '+@all', `~${prefix}:handovers`, `~${prefix}:${dockTopic('dock1')}:*`]
  await use.redis().call('ACL', 'SETUSER', 'limited', 'reset', ...rules)
  limited = connectRedis(use.server().url.replace('://', '://limited:password@'), 'patient')
  await whenReady(limited, 5_000)
})

afterEach(() => limited.disconnect())

const handover = () => ({ topic, name: 'start-container', data, id: `${newJobId()}.1` })
const waiting = () => use.fleet().topics.queue(topic).getJobs(['wait'])

async function put(one = handover()) {
  const { keys, prefix } = use.fleet()
  const topics = topicsOf(limited, prefix)
  await handoversOf(limited, keys, topics).put(one)
  await topics.close()
  return one
}

const carry = () => {
  const { redis, keys, topics } = use.fleet()
  return handoversOf(redis, keys, topics).carryHandovers()
}

test('what may be put on a topic is there at once', async () => {
  const one = handover()
  const { redis, keys, topics } = use.fleet()
  await handoversOf(redis, keys, topics).put(one)
  expect(await waiting()).toMatchObject([{ id: one.id, name: one.name, data }])
  expect(await redis.exists(keys.handovers)).toBe(0)
})

test('what may not is carried there, as it is, once', async () => {
  const one = await put()
  expect(await waiting()).toEqual([])
  await carry()
  await carry()
  expect(await waiting()).toMatchObject([{ id: one.id, name: one.name, data }])
})

test.each([
  ['of another topic', { topic: 'elsewhere' }],
  ['of a topic that is none', { topic: 'deblox.docker.a b' }],
  ['of another id', { id: 'x' }],
  ['without data', { data: 1 as unknown as Handover['data'] }],
])('one %s is not carried', async (_, wrong) => {
  const { redis, keys, prefix } = use.fleet()
  await redis.sadd(keys.handovers, JSON.stringify({ ...handover(), ...wrong }), 'rubbish')
  await carry()
  expect(await redis.keys(`${prefix}:*`)).toEqual([])
})

test('another failure is told, and nothing left to others', async () => {
  const { redis, keys, prefix, topics } = use.fleet()
  await redis.set(`${prefix}:${topic}:wait`, 'no list')
  await expect(handoversOf(redis, keys, topics).put(handover())).rejects.toThrow('WRONGTYPE')
  expect(await redis.exists(keys.handovers)).toBe(0)
})
