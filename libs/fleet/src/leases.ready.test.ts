import { useFleet } from '../../../test/support/fleet-on-redis'
import { times } from './names'

const use = useFleet()
const docks = () => use.fleet().docks

async function beat(hostname: string, daemon: 'ok' | 'unhealthy' = 'ok'): Promise<void> {
  await docks().acquireLease(hostname, `worker of ${hostname}`)
  await docks().heartbeat(hostname, `worker of ${hostname}`, daemon)
}

test('without any dock none is ready', async () => {
  expect(await docks().noneIsReady()).toBe(true)
})

test('one that is registered and well is, from its heartbeat on', async () => {
  await docks().register('dock1')
  expect(await docks().noneIsReady()).toBe(true)
  await beat('dock1')
  expect(await docks().noneIsReady()).toBe(false)
})

test.each<[string, () => Promise<unknown>]>([
  ['is drained', () => docks().patch('dock1', { drain: true })],
  ['has a daemon that does not answer', () => beat('dock1', 'unhealthy')],
  ['was unregistered', () => docks().unregister('dock1')],
])('one that %s is not, from its next heartbeat on', async (what, happen) => {
  await docks().register('dock1')
  await beat('dock1')
  await happen()
  await beat('dock1', what.includes('daemon') ? 'unhealthy' : 'ok')
  expect(await docks().noneIsReady()).toBe(true)
})

test('one that gives its lease back is not, and one that does not renew it is not when it is over', async () => {
  const { redis, keys } = use.fleet()
  await docks().register('dock1')
  await beat('dock1')
  await docks().releaseLease('dock1', 'somebody else')
  expect(await docks().noneIsReady()).toBe(false)
  const [, until = '0'] = await redis.zrange(keys.ready, '0', '-1', 'WITHSCORES')
  await redis.zadd(keys.ready, Number(until) - times.lease - 1, 'dock1')
  expect(await docks().noneIsReady()).toBe(true)
  await beat('dock1')
  await docks().releaseLease('dock1', 'worker of dock1')
  expect(await docks().noneIsReady()).toBe(true)
})

test('a worker without the lease says nothing of its dock', async () => {
  await docks().register('dock1')
  await beat('dock1')
  await docks().heartbeat('dock1', 'somebody else', 'unhealthy')
  expect(await docks().noneIsReady()).toBe(false)
})

test('what is known of a dock is forgotten only while it is not registered', async () => {
  const { redis, keys } = use.fleet()
  await docks().register('dock1')
  await redis.hset(keys.dock('dock1'), 'engine', '{}')
  await docks().forget('dock1')
  expect(await redis.exists(keys.dock('dock1'))).toBe(1)
  await redis.srem(keys.docks, 'dock1')
  await docks().forget('dock1')
  expect(await redis.exists(keys.dock('dock1'))).toBe(0)
})
