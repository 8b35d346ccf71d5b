import { cpus, loadavg, totalmem } from 'node:os'
import { Redis } from 'ioredis'
import type { RedisServer } from '../test/support/redis'
import type { Setting } from './setting'

/** One line on what the figures were measured with. */
export async function describeMachine({ engine, redis }: Setting): Promise<string> {
  const { Version } = await engine.docker.version()
  return `${await machineOf(redis)}, Docker Engine ${Version}.`
}

/** The same without an engine, and without a full stop. */
export async function machineOf(redis: RedisServer): Promise<string> {
  const client = new Redis(redis.url)
  const info = await client.info('server')
  client.disconnect()
  const parts = [
    `${cpus().length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.versions.node}`,
    `Redis ${/redis_version:(\S+)/.exec(info)?.[1]} (AOF always, noeviction)`,
  ]
  return parts.join(', ')
}

/** How busy the machine is: figures of a busy one say little. */
export const load = (): string => loadavg()[0]?.toFixed(1) ?? '?'
