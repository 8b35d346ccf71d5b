import { join } from 'node:path'
import { Engine } from './engines'
import type { RedisServer } from './redis'
import { runFolder } from './run-folder'

const REDIS_URL = 'DEBLOX_TEST_REDIS_URL'
const ENGINES = 'DEBLOX_TEST_ENGINES'

const ofThisProcess = globalThis as typeof globalThis & { debloxTestRedis?: RedisServer }

/** Tells the tests what the global setup has started: they run in other processes, or behind other module registries. */
export function share(redis: RedisServer, engines: Engine[]): void {
  ofThisProcess.debloxTestRedis = redis
  process.env[REDIS_URL] = redis.url
  process.env[ENGINES] = String(engines.length)
}

/** The Redis itself, for the global teardown alone. */
export function sharedRedis(): RedisServer {
  if (!ofThisProcess.debloxTestRedis) throw new Error('the global setup did not run in this process')
  return ofThisProcess.debloxTestRedis
}

/** The URL of the redis-server that all tests of the run share. To stop or kill one, start your own: startRedis(). */
export function sharedRedisUrl(): string {
  return given(REDIS_URL)
}

/** The engines that all tests of the run share. A test may stop, kill or freeze them: fleet.stop() brings them back. */
export function sharedEngines(): Engine[] {
  const count = Number(given(ENGINES))
  return Array.from({ length: count }, (_, index) => new Engine(join(runFolder(), String(index + 1))))
}

function given(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is missing: only tests of the jest project "fleet" can share these`)
  return value
}
