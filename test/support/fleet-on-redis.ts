import { type Fleet, openFleet } from '@deblox/fleet/fleet'
import { connectRedis, type RedisClient, whenReady } from '@deblox/fleet/redis'
import { trustIn } from '@deblox/fleet/signing/trust'
import { testKeys } from '../../libs/fleet/src/testing/keys'
import { type RedisServer, startRedis } from './redis'

/** A real Redis for the tests of one file, and on it a fleet of its own, by its prefix, for each of them. */
export function useFleet() {
  let server: RedisServer
  let redis: RedisClient
  let fleet: Fleet
  let opened = 0

  beforeAll(async () => {
    server = await startRedis()
    redis = connectRedis(server.url, 'patient')
    // Tests that restart Redis see it go: that is what they are about.
    redis.on('error', () => {})
    await whenReady(redis, 10_000)
  })
  beforeEach(() => {
    fleet = openFleet(redis, `test-${++opened}`, undefined, trustIn(testKeys))
  })
  afterEach(() => fleet.topics.close())
  afterAll(async () => {
    redis.disconnect()
    await server.remove()
  })
  return { server: () => server, redis: () => redis, fleet: () => fleet }
}
