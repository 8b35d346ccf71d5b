import { setTimeout as wait } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import { type Logger, pino } from 'pino'
import { checkFitness } from './fitness'
import { connectRedis, type RedisClient, type Temper, whenReady } from './redis'
import { StartError } from './start-error'

/** Stops what was started. */
export type Stop = () => Promise<void>

/** How long Redis may take to answer when a program starts, in milliseconds. */
const redisWaitMs = 15_000

/** A stop that takes longer than this is ended by force, in milliseconds. */
const stopMs = 9_500

/** A start that takes no notice of a signal is waited for so long, in milliseconds. */
const startMs = 4_000

/**
 * Runs a program until SIGTERM or SIGINT, then stops it in order; a second signal ends it at once. A signal that comes
 * while it starts aborts the start, and stops what that had started all the same.
 */
export async function runProgram(name: string, start: (signal: AbortSignal) => Promise<Stop>): Promise<void> {
  const stopping = new AbortController()
  const end = (): void => {
    if (stopping.signal.aborted) process.exit(1)
    setTimeout(() => exitWith(name, new StartError(`expected to stop within ${stopMs} ms`)), stopMs).unref()
    stopping.abort(new Error('the program stops'))
    void endInOrder(name, started)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  const started = start(stopping.signal)
  try {
    await started
  } catch (error) {
    // Once it is to stop it does not matter any more why it could not start.
    if (!stopping.signal.aborted) exitWith(name, error)
  }
}

async function endInOrder(name: string, started: Promise<Stop>): Promise<never> {
  const stop = await Promise.race([
    started.catch(() => undefined),
    wait(startMs, undefined, { ref: false }).then(() => undefined),
  ])
  try {
    await stop?.()
  } catch (error) {
    exitWith(name, error)
  }
  process.exit(0)
}

/** Ends the process with one line that says why; a stack is shown only for what nobody foresaw. */
export function exitWith(name: string, error: unknown): never {
  const foreseen = error instanceof StartError || error instanceof DebloxError
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
function logConnection(redis: RedisClient, log: Logger): void {
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
export async function openRedis(
  url: string,
  temper: Temper,
  log: Logger,
  stopping: AbortSignal = new AbortController().signal,
): Promise<RedisClient> {
  const redis = connectRedis(url, temper)
  logConnection(redis, log)
  const leave = (): void => redis.disconnect()
  stopping.addEventListener('abort', leave)
  try {
    await Promise.race([whenReady(redis, redisWaitMs), aborted(stopping)])
    const { refusals, warnings } = await checkFitness(redis)
    if (refusals.length > 0) throw new StartError(`REDIS_URL: ${refusals.join('; ')}`)
    for (const warning of warnings) log.warn(`REDIS_URL: ${warning}`)
    stopping.throwIfAborted()
    return redis
  } catch (error) {
    redis.disconnect()
    throw error instanceof DebloxError ? new StartError(`REDIS_URL: ${error.message}`, { cause: error }) : error
  } finally {
    stopping.removeEventListener('abort', leave)
  }
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
