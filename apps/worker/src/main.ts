import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { auditIntakeOf } from '@deblox/fleet/audit-intake'
import { answerCalls } from '@deblox/fleet/calls/answers'
import { openFleet } from '@deblox/fleet/fleet'
import { dockTopic, fleetKeys } from '@deblox/fleet/names'
import { exitWith, openLog, openRedis, runProgram, type Stop } from '@deblox/fleet/program'
import { PinnedKeys } from '@deblox/fleet/signing/pin'
import { answerersFor } from './calls/answerers'
import { HangUps } from './calls/hang-up'
import { readConfig } from './config'
import { Consumers } from './consume'
import { DaemonStreams } from './daemon-streams'
import { Dock } from './dock'
import { readDockPolicy } from './dock-policy'
import { openDocker } from './docker'
import { readIdentity } from './identity'
import { Lease } from './lease'
import { Owners } from './owners'
import { Reaper } from './reaper'
import { readSealKey } from './seal-key'
import { Settled } from './settled'
import { Spent } from './spent'
import { takeBack } from '@deblox/fleet/stalled'
import { Watch } from './watch'

/** A worker that stops tells commands for so long that their callers have left, in milliseconds. */
const hangUpMs = 3_000

async function startWorker(stopping?: AbortSignal): Promise<Stop> {
  const config = await readConfig()
  const { REDIS_URL, DEBLOX_PREFIX, LOG_LEVEL, DOCKER_HOST, DOCK_HOSTNAME: hostname } = config
  const log = openLog(LOG_LEVEL, { app: 'worker', dock: hostname })
  const policy = await readDockPolicy(config.DEBLOX_DOCK_POLICY)
  log.info({ policy }, 'the policy of this dock')
  const redis = await openRedis(REDIS_URL, 'patient', log, stopping)
  const keys = fleetKeys(DEBLOX_PREFIX)
  const pinned = await PinnedKeys.open(
    {
      file: join(config.DEBLOX_STATE_DIR, `api-keys.${hostname}.json`),
      given: config.DEBLOX_API_KEYS,
      published: () => redis.get(keys.apiKeys),
    },
    log,
  )
  const fleet = openFleet(redis, DEBLOX_PREFIX, undefined, { vouch: (text, by, typ) => pinned.require(text, by, typ) })
  const lease = new Lease(fleet.docks, hostname, randomUUID())
  const docker = openDocker(DOCKER_HOST, () => lease.isHeld())
  const settled = await Settled.open(config.DEBLOX_STATE_DIR, hostname, log)
  const reaper = new Reaper(docker, fleet.placements, settled, hostname, log)
  const events = {
    onReturned: () => reaper.atReturn(),
    onRejoined: () => void watch.listAll(),
    onReplaced: (error: Error) => exitWith('worker', error),
  }
  const identity = await readIdentity(config.DEBLOX_STATE_DIR, hostname)
  const sealKey = await readSealKey(config.DEBLOX_STATE_DIR, hostname, (error) =>
    log.warn(
      { err: error },
      'DEBLOX_STATE_DIR: the key for secrets cannot be kept; after a restart there is another one',
    ),
  )
  const spent = await Spent.open(config.DEBLOX_STATE_DIR, hostname, () => fleet.clock.now(), log)
  const owners = await Owners.open(config.DEBLOX_STATE_DIR, hostname)
  const dock = new Dock(hostname, { identity, seal: sealKey.public }, fleet, docker, lease, events, log)
  // With every full list, because a create that was slow to end may come after the look at the return.
  const watch = new Watch(docker, fleet.index, hostname, owners, dock.daemon, log, () => reaper.look())
  await dock.start(stopping)
  watch.start()
  await pinned.look()
  const looking = new AbortController()
  void pinned.keepLooking(looking.signal)
  // The lease says that whoever took jobs from this topic before is gone.
  await takeBack(fleet, dockTopic(hostname))
  const context = {
    hostname,
    incarnation: lease.incarnation,
    policy,
    defaultRules: { profile: 'restricted' } as const,
    docker,
    fleet,
    daemon: dock.daemon,
    daemonLost: () => dock.daemonLost(),
    leaseLost: () => lease.lost,
    graceMs: () => dock.graceMs(),
    now: () => fleet.clock.now(),
    owners,
    spent,
    settled,
    sealKey: sealKey.secret,
    labelsOf: (id: string) => watch.labelsOf(id),
    refresh: (id: string) => watch.refresh(id),
    touch: (id: string) => watch.touch(id),
  }
  const intake = auditIntakeOf(redis, fleet.keys)
  const hangUps = new HangUps()
  const calls = answerCalls({
    fleet,
    url: REDIS_URL,
    hostname,
    incarnation: lease.incarnation,
    isHeld: () => lease.isHeld(),
    vouch: (text, by, typ) => pinned.require(text, by, typ),
    sealKey: sealKey.secret,
    answerers: answerersFor({ ...context, streams: new DaemonStreams(DOCKER_HOST, () => lease.isHeld()), hangUps }),
    onRefused({ callId, code, message }) {
      log.warn({ call: callId, code, reason: message }, 'a call was refused')
      const told = { at: new Date(fleet.clock.now()).toISOString(), dock: hostname, jobId: callId }
      intake
        .refuse({ ...told, what: code, reason: message })
        .catch((error: unknown) => log.warn({ err: error, call: callId }, 'a refusal could not be told'))
    },
    onError: (error) => log.debug({ err: error }, 'answering calls failed; going on'),
  })
  const consumers = new Consumers(fleet, dock, context, log, (error) => exitWith('worker', error))
  log.info({ engine: DOCKER_HOST }, 'the worker acts for this dock')

  return async () => {
    log.info('stopping')
    dock.drain()
    looking.abort()
    await calls.close()
    await Promise.all([hangUps.close(hangUpMs), consumers.stop()])
    await spent.close()
    await settled.close()
    reaper.stop()
    await watch.stop()
    await dock.leave()
    await fleet.topics.close()
    redis.disconnect()
  }
}

void runProgram('worker', startWorker)
