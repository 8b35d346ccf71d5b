import { randomUUID } from 'node:crypto'
import { openFleet } from '@deblox/fleet/fleet'
import { dockTopic } from '@deblox/fleet/names'
import { exitWith, openLog, openRedis, runProgram, type Stop } from '@deblox/fleet/program'
import { readConfig } from './config'
import { Consumers } from './consume'
import { Dock } from './dock'
import { openDocker } from './docker'
import { readIdentity } from './identity'
import { Lease } from './lease'
import { Reaper } from './reaper'
import { takeBack } from '@deblox/fleet/stalled'
import { Watch } from './watch'

async function startWorker(stopping?: AbortSignal): Promise<Stop> {
  const config = await readConfig()
  const { REDIS_URL, DEBLOX_PREFIX, LOG_LEVEL, DOCKER_HOST, DOCK_HOSTNAME: hostname } = config
  const log = openLog(LOG_LEVEL, { app: 'worker', dock: hostname })
  const redis = await openRedis(REDIS_URL, 'patient', log, stopping)
  const fleet = openFleet(redis, DEBLOX_PREFIX)
  const lease = new Lease(fleet.docks, hostname, randomUUID())
  const docker = openDocker(DOCKER_HOST, () => lease.isHeld())
  const reaper = new Reaper(docker, fleet.placements, hostname, log)
  const events = {
    onReturned: () => reaper.atReturn(),
    onRejoined: () => void watch.listAll(),
    onReplaced: (error: Error) => exitWith('worker', error),
  }
  const identity = await readIdentity(config.DEBLOX_STATE_DIR, hostname).catch((error: Error) => {
    // Jobs must not fail over a full disk.
    log.warn(`${error.message}; another machine of its name would be taken for this one`)
    return null
  })
  const dock = new Dock(hostname, identity, fleet, docker, lease, events, log)
  // With every full list, because a create that was slow to end may come after the look at the return.
  const watch = new Watch(docker, fleet.index, hostname, dock.daemon, log, () => reaper.look())
  await dock.start(stopping)
  watch.start()
  // The lease says that whoever took jobs from this topic before is gone.
  await takeBack(fleet, dockTopic(hostname))
  const context = {
    hostname,
    docker,
    fleet,
    daemon: dock.daemon,
    daemonLost: () => dock.daemonLost(),
    leaseLost: () => lease.lost,
    graceMs: () => dock.graceMs(),
    now: () => fleet.clock.now(),
    refresh: (id: string) => watch.refresh(id),
    touch: (id: string) => watch.touch(id),
  }
  const consumers = new Consumers(fleet, dock, context, log, (error) => exitWith('worker', error))
  log.info({ engine: DOCKER_HOST }, 'the worker acts for this dock')

  return async () => {
    log.info('stopping')
    dock.drain()
    await consumers.stop()
    reaper.stop()
    await watch.stop()
    await dock.leave()
    await fleet.topics.close()
    redis.disconnect()
  }
}

void runProgram('worker', startWorker)
