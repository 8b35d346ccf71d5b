import { randomUUID } from 'node:crypto'
import { DebloxError } from '@deblox/actions/errors'
import { checkFitness } from '@deblox/fleet/fitness'
import { openFleet } from '@deblox/fleet/fleet'
import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { pino } from 'pino'
import { readConfig, type WorkerConfig } from './config'
import { Consumers } from './consume'
import { Dock } from './dock'
import { openDocker } from './docker'
import { Lease } from './lease'
import { Watch } from './watch'

const redisWaitMs = 15_000
/** A stop that takes longer than this is ended by force, in milliseconds. */
const stopMs = 9_500

async function main(): Promise<void> {
  const config = readConfig()
  const log = pino({ level: config.LOG_LEVEL, base: { app: 'worker', dock: config.DOCK_HOSTNAME } })
  const stop = await startWorker(config, log)
  let stopping = false
  const end = (signal: string) => {
    if (stopping) process.exit(1)
    stopping = true
    log.info({ signal }, 'stopping')
    setTimeout(() => {
      log.error('expected to stop in time; leaving now')
      process.exit(1)
    }, stopMs).unref()
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

async function startWorker(config: WorkerConfig, log: pino.Logger): Promise<() => Promise<void>> {
  const hostname = config.DOCK_HOSTNAME
  const redis = connectRedis(config.REDIS_URL, 'patient')
  redis.on('error', (error: Error) => log.warn({ err: error }, 'Redis'))
  await whenReady(redis, redisWaitMs)
  const { refusals, warnings } = await checkFitness(redis)
  if (refusals.length > 0) throw new TypeError(`REDIS_URL: ${refusals.join('; ')}`)
  for (const warning of warnings) log.warn(`REDIS_URL: ${warning}`)

  const fleet = openFleet(redis, config.DEBLOX_PREFIX)
  const lease = new Lease(fleet.docks, hostname, randomUUID())
  const docker = openDocker(config.DOCKER_HOST, () => lease.isHeld())
  const events = {
    onRejoined: () => void watch.listAll(),
    onReplaced: (error: Error) => exitWith(error),
  }
  const dock = new Dock(hostname, fleet, docker, lease, events, log)
  const watch = new Watch(docker, fleet.index, hostname, dock.daemon, log)
  await dock.start()
  watch.start()
  const refresh = (id: string) => watch.refresh(id)
  const consumers = new Consumers(fleet, dock, { hostname, docker, fleet, daemon: dock.daemon, refresh }, log)
  log.info({ engine: config.DOCKER_HOST }, 'the worker acts for this dock')

  return async () => {
    dock.drain()
    await consumers.stop()
    await watch.stop()
    await dock.leave()
    await fleet.topics.close()
    redis.disconnect()
  }
}

/** Ends with one line that says why. */
function exitWith(error: unknown): never {
  const known = error instanceof TypeError || error instanceof DebloxError
  process.stderr.write(`deblox worker: ${known ? error.message : String((error as Error).stack ?? error)}\n`)
  process.exit(1)
}

main().catch(exitWith)
