/**
 * The health check of a worker's container: exit code 0 while the worker holds its dock's lease and the daemon answers.
 * A worker that is stuck stops renewing the lease, so this tells more than that a process exists.
 */
import { openFleet } from '@deblox/fleet/fleet'
import { exitWith } from '@deblox/fleet/program'
import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { StartError } from '@deblox/fleet/start-error'
import { readConfig } from './config'
import { openDocker, troubleOf } from './docker'

const redisWaitMs = 3_000

async function check(): Promise<void> {
  const { REDIS_URL, DEBLOX_PREFIX, DOCKER_HOST, DOCK_HOSTNAME } = await readConfig()
  const redis = connectRedis(REDIS_URL, 'fail-fast')
  // whenReady tells the last one.
  redis.on('error', () => undefined)
  await whenReady(redis, redisWaitMs)
  const { docks } = openFleet(redis, DEBLOX_PREFIX)
  if (!(await docks.isLeased(DOCK_HOSTNAME))) {
    throw new StartError(`DOCK_HOSTNAME: expected the worker of ${DOCK_HOSTNAME} to hold its lease, got none`)
  }
  const trouble = await troubleOf(openDocker(DOCKER_HOST, () => false))
  if (trouble !== undefined) {
    const why = trouble instanceof Error ? trouble.message : 'no answer'
    throw new StartError(`DOCKER_HOST: expected the daemon to answer, got ${why}`, { cause: trouble })
  }
  redis.disconnect()
}

check().then(
  () => process.exit(0),
  (error: unknown) => exitWith('worker health', error),
)
