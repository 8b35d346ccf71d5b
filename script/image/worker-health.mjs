// HEALTHCHECK of the worker and dock images: exit 0 while the engine answers and the worker holds the dock's lease in Redis.
// A worker that is stuck stops renewing the lease, so this tells more than that a process exists. It reads the
// environment as the worker does.
import { docksOf } from '@deblox/fleet/docks'
import { fleetKeys } from '@deblox/fleet/names'
import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { readConfig } from '../../apps/worker/dist/config.js'
import { engineAnswers } from './engine-answers.mjs'

const config = await readConfig()
const redis = connectRedis(config.REDIS_URL, 'fail-fast')
redis.on('error', () => undefined) // whenReady tells the last one
try {
  await whenReady(redis, 3_000)
  if (!(await docksOf(redis, fleetKeys(config.DEBLOX_PREFIX)).isLeased(config.DOCK_HOSTNAME))) {
    throw new Error(`${config.DOCK_HOSTNAME}: expected its worker to hold the lease, got none`)
  }
  if (!(await engineAnswers(config.DOCKER_HOST.replace('unix://', '')))) {
    throw new Error(`${config.DOCKER_HOST}: expected the engine to answer a ping, got nothing`)
  }
} finally {
  redis.disconnect()
}
