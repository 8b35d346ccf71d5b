import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { openFleet } from '@deblox/fleet/fleet'
import { openLog, openRedis, runProgram, type Stop } from '@deblox/fleet/program'
import { readReplies } from '@deblox/fleet/replies'
import { createApp } from './app'
import { boardAt } from './board'
import { type ApiConfig, readConfig } from './config'
import { docsPage } from './docs-page'
import { metricsOf } from './metrics'
import { allRoutes } from './routes'
import { readShippedTemplates } from './shipped-templates'
import { submitTo } from './submit'
import { Waiter } from './wait'

/** Requests under way get so long when the API stops, in milliseconds. */
const graceMs = 8_000
const templatesFolder = join(__dirname, '../../../templates')

async function startApi(): Promise<Stop> {
  const config = readConfig()
  const log = openLog(config.LOG_LEVEL, { app: 'api' })
  const shipped = readShippedTemplates(templatesFolder)
  const redis = await openRedis(config.REDIS_URL, 'fail-fast', log)
  const fleet = openFleet(redis, config.DEBLOX_PREFIX, shipped)
  const replyTo = fleet.keys.replies(randomUUID())
  const waiter = new Waiter(fleet.jobs)
  const metrics = metricsOf(fleet)
  const replies = readReplies(config.REDIS_URL, replyTo, {
    onReply(reply) {
      metrics.onReply(reply)
      waiter.onReply(reply)
    },
    onGap: () => void waiter.onGap(),
    onError: (error) => log.debug({ reason: error.message }, 'reading replies failed; trying again'),
  })
  const app = createApp({
    routes: allRoutes(fleet, submitTo(fleet, waiter, replyTo), metrics.route),
    pages: [
      { path: '/jobs', handler: boardAt('/jobs', fleet) },
      { path: '/docs', handler: docsPage() },
    ],
    log,
  })
  const server = createServer(app)
  await listen(server, config)
  log.info({ url: urlOf(server) }, 'listening')

  return async () => {
    log.info('stopping')
    await close(server)
    replies.close()
    await fleet.topics.close()
    redis.disconnect()
  }
}

async function listen(server: Server, { PORT, HOST }: ApiConfig): Promise<void> {
  server.listen(PORT, HOST)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new TypeError(whyNotListening(error, PORT, HOST), { cause: error })
  }
}

function whyNotListening(error: unknown, port: number, host: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return `PORT: expected a free port of ${host}, got ${port}, which is in use`
  if (code === 'EACCES') return `PORT: expected a port that this user may open, got ${port}`
  return `HOST: expected an address of this machine, got ${host} (${String(code)})`
}

/** Takes no more requests, and lets those under way end. */
async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // A connection whose last request has been answered would be kept alive for five seconds more.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const grace = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearInterval(idle)
  clearTimeout(grace)
}

function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') return String(address)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}

void runProgram('api', startApi)
