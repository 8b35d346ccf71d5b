import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { DebloxError } from '@deblox/actions/errors'
import { callsTo } from '@deblox/fleet/calls/caller'
import { openFleet } from '@deblox/fleet/fleet'
import { hear, keepHearing } from '@deblox/fleet/clock-watch'
import { Janitor } from '@deblox/fleet/janitor'
import { limitsOf } from '@deblox/fleet/limits'
import { memoryWatchOf } from '@deblox/fleet/memory'
import { openLog, openRedis, runProgram, type Stop } from '@deblox/fleet/program'
import { readReplies } from '@deblox/fleet/replies'
import { keepPublished, publishKeys } from '@deblox/fleet/signing/publish'
import { trustIn } from '@deblox/fleet/signing/trust'
import { admissionOf } from './admission'
import { createApp } from './app'
import { boardAt } from './board'
import { readConfig } from './config'
import { docsPage } from './docs-page'
import { guardOf, openKeys } from './guard'
import { JobFollower } from './job-follower'
import { FleetCopy } from './live/fleet-copy'
import { metricsOf } from './metrics'
import { allRoutes } from './routes'
import { serve } from './serve'
import { readShippedTemplates } from './shipped-templates'
import { Places } from './streams/places'
import { Waiter } from './wait'

const templatesFolder = join(__dirname, '../../../templates')

async function startApi(stopping: AbortSignal): Promise<Stop> {
  const config = readConfig()
  const log = openLog(config.LOG_LEVEL, { app: 'api' })
  const shipped = readShippedTemplates(templatesFolder)
  const keys = await openKeys(config)
  const redis = await openRedis(config.REDIS_URL, 'fail-fast', log, stopping)
  const fleet = openFleet(redis, config.DEBLOX_PREFIX, shipped, trustIn(keys))
  await publishKeys(redis, fleet.keys.apiKeys, keys)
  void keepPublished(redis, fleet.keys.apiKeys, keys, log, stopping)
  const replyTo = fleet.keys.replies(randomUUID())
  const waiter = new Waiter(fleet.jobs)
  const memory = memoryWatchOf(redis)
  const metrics = metricsOf(fleet, memory)
  const guard = guardOf(fleet, keys, config, metrics, log)
  const replies = readReplies(config.REDIS_URL, replyTo, {
    onReply(reply) {
      metrics.onReply(reply)
      waiter.onReply(reply)
    },
    onGap: () => void waiter.onGap(),
    onError: (error) => log.debug({ reason: error.message }, 'reading replies failed; trying again'),
  })
  const limits = limitsOf(redis, fleet.keys, config.DEBLOX_PREFIX, {
    queueDepth: config.DEBLOX_MAX_QUEUE_DEPTH,
    jobsPerOwner: config.DEBLOX_MAX_JOBS_PER_OWNER,
  })
  const admission = admissionOf(limits, memory, (limit) => metrics.onRefused(limit))
  await hear(fleet.clock, redis)
  void keepHearing(fleet.clock, redis, stopping)
  const janitor = new Janitor(fleet, log, () => guard.audit.drainIntake())
  janitor.start()
  const calls = callsTo({
    fleet,
    url: config.REDIS_URL,
    keys,
    onError: (error) => log.debug({ reason: error.message }, 'a connection for calls failed; trying again'),
  })
  const copy = new FleetCopy({
    fleet,
    url: config.REDIS_URL,
    onError: (error) => log.debug({ err: error }, 'the copy of the fleet lags behind; going on'),
  })
  await copy.start()
  const follower = new JobFollower(fleet.jobs)
  copy.onChange(({ kind, object }) => {
    if (kind === 'job') follower.wake(object)
  })
  const places = new Places(config.DEBLOX_MAX_STREAMS)
  metrics.watchOpen(() => ({ calls: calls.count, streams: places.open }))
  const desk = { ...guard, fleet, auth: config.AUTH, waiter, admission, replyTo, calls, copy, follower, places }
  const ending = new AbortController()
  // Each request that is under way listens.
  setMaxListeners(0, ending.signal)
  const app = createApp({
    routes: allRoutes(desk, metrics.route),
    pages: [
      { path: '/jobs', handler: boardAt('/jobs', fleet) },
      { path: '/docs', handler: docsPage() },
      ...guard.login,
    ],
    gate: guard.gate,
    edges: guard.edges,
    onDecided: guard.onDecided,
    stopping: ending.signal,
    log,
  })
  await guard.letIn()
  const server = await serve(app, { host: config.HOST, port: config.PORT }, () => metrics.onRefused('connections'))
  log.info({ url: server.url }, 'listening')

  return async () => {
    log.info('stopping')
    // Their jobs go on, and can be looked up on any other replica.
    waiter.drain()
    ending.abort(new DebloxError('stream_broken', 'the API replica stops; any other one goes on'))
    await server.close()
    await calls.close()
    follower.stop()
    copy.stop()
    replies.close()
    await janitor.stop()
    await guard.stop()
    await fleet.topics.close()
    redis.disconnect()
  }
}

void runProgram('api', startApi)
