import { DebloxError } from '@deblox/actions/errors'
import { type Logger, pino } from 'pino'
import { checkFitness } from './fitness'
import { connectRedis, type RedisClient, type Temper, whenReady } from './redis'

/** Stops what was started. */
export type Stop = () => Promise<void>

/** How long Redis may take to answer when a program starts, in milliseconds. */
const redisWaitMs = 15_000

/** A stop that takes longer than this is ended by force, in milliseconds. */
const stopMs = 9_500

/** Runs a program until SIGTERM or SIGINT, then stops it in order; a second signal ends it at once. */
export async function runProgram(name: string, start: () => Promise<Stop>): Promise<void> {
  let stop: Stop
  try {
    stop = await start()
  } catch (error) {
    return exitWith(name, error)
  }
  let stopping = false
  const end = (): void => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => exitWith(name, new TypeError(`expected to stop within ${stopMs} ms`)), stopMs).unref()
    stop().then(
      () => process.exit(0),
      (error: unknown) => exitWith(name, error),
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

/** Ends the process with one line that says why; a stack is shown only for what nobody foresaw. */
export function exitWith(name: string, error: unknown): never {
  const foreseen = error instanceof TypeError || error instanceof DebloxError
  const why = foreseen ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`deblox ${name}: ${why}\n`)
  process.exit(1)
}

/** One JSON line an event, on standard output. */
export const openLog = (level: string, base: Record<string, string>): Logger =>
  pino({ level, base, serializers: { err: describeError } })

/** An error as the log tells it. Not its other fields: ioredis puts whole commands there, and so jobs and their env. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, stack, cause } = error
  const code = 'code' in error ? { code: error.code } : {}
  return { name, message, ...code, stack, ...(cause === undefined ? {} : { cause: describeError(cause) }) }
}

/** Says once that Redis went away, and once that it is back, however often it is tried in between. */
export function logConnection(redis: RedisClient, log: Logger): void {
  let away = false
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ reason: error.message || error.name }, 'Redis cannot be reached; trying again')
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info('Redis is back')
    away = false
  })
}

/** A client of a Redis that answers and keeps what it is given; one that would lose jobs is refused. */
export async function openRedis(url: string, temper: Temper, log: Logger): Promise<RedisClient> {
  const redis = connectRedis(url, temper)
  logConnection(redis, log)
  try {
    await whenReady(redis, redisWaitMs)
    const { refusals, warnings } = await checkFitness(redis)
    if (refusals.length > 0) throw new TypeError(`REDIS_URL: ${refusals.join('; ')}`)
    for (const warning of warnings) log.warn(`REDIS_URL: ${warning}`)
    return redis
  } catch (error) {
    redis.disconnect()
    throw error instanceof DebloxError ? new TypeError(`REDIS_URL: ${error.message}`, { cause: error }) : error
  }
}
