import { redisErrorCode, type RedisClient } from './redis'

interface Fitness {
  /** Why this Redis must not be used: it would lose accepted jobs. */
  refusals: string[]
  /** What is risky, but the operator's choice. */
  warnings: string[]
}

const oldestRedis = [6, 2] as const

/** A clock that differs by more than this makes times of jobs wrong and deadlines early or late, in milliseconds. */
const clockTolerance = 5_000

/** Reads from Redis itself whether it can keep what is accepted: version, eviction policy, append-only file, memory, clock. */
export async function checkFitness(client: RedisClient): Promise<Fitness> {
  const clock = await clockDifference(client)
  const [server, memory, persistence] = await Promise.all(
    ['server', 'memory', 'persistence'].map((section) => readInfo(client, section)),
  )
  return judgeFitness({ ...server, ...memory, ...persistence }, clock)
}

/**
 * Decides on the fields of INFO and on how far Redis's clock is ahead of ours, in milliseconds. A field that the server
 * hides is warned about, not guessed.
 */
export function judgeFitness(info: Record<string, string>, clock = 0): Fitness {
  const refusals: string[] = []
  const warnings: string[] = []
  const version = info['redis_version']
  const policy = info['maxmemory_policy']
  if (version === undefined || policy === undefined) {
    warnings.push('expected INFO to tell version and maxmemory-policy, got nothing: allow the user +info')
  }
  if (version !== undefined && isOlder(version)) {
    refusals.push(`redis_version: expected ${oldestRedis.join('.')} or later, got ${version}`)
  }
  if (policy !== undefined && policy !== 'noeviction') {
    refusals.push(`maxmemory-policy: expected noeviction (any other deletes accepted jobs), got ${policy}`)
  }
  if (info['aof_enabled'] === '0') {
    warnings.push('appendonly: expected yes (without it a crash of Redis loses accepted jobs), got no')
  }
  if (info['maxmemory'] === '0') {
    warnings.push('maxmemory: expected a bound (without one the machine ends Redis when its memory is used up), got 0')
  }
  if (Math.abs(clock) > clockTolerance) {
    const seconds = (Math.abs(clock) / 1000).toFixed(0)
    const [expected, way] = [`${clockTolerance / 1000} s`, clock > 0 ? 'ahead' : 'behind']
    warnings.push(`clock: expected Redis's within ${expected} of this machine's, got one that is ${seconds} s ${way}`)
  }
  return { refusals, warnings }
}

/** How far Redis's clock is ahead of ours, in milliseconds; its answer is taken to be half of the round trip old. */
async function clockDifference(client: RedisClient): Promise<number> {
  const asked = Date.now()
  const began = performance.now()
  try {
    const [seconds, microseconds] = await client.time()
    return Number(seconds) * 1000 + Number(microseconds) / 1000 - (asked + (performance.now() - began) / 2)
  } catch (error) {
    if (redisErrorCode(error) === 'NOPERM') return 0
    throw error
  }
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < oldestRedis[0] || (major === oldestRedis[0] && minor < oldestRedis[1])
}

/** The fields of one section of INFO; none where the user may not ask. */
export async function readInfo(client: RedisClient, section: string): Promise<Record<string, string>> {
  try {
    return parseInfo(await client.info(section))
  } catch (error) {
    if (redisErrorCode(error) === 'NOPERM') return {}
    throw error
  }
}

function parseInfo(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}
