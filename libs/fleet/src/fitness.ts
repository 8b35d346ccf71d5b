import { redisErrorCode, type RedisClient } from './redis'

export interface Fitness {
  /** Why this Redis must not be used: it would lose accepted jobs. */
  refusals: string[]
  /** What is risky, but the operator's choice. */
  warnings: string[]
}

const oldestRedis = [6, 2] as const

/** Reads from Redis itself whether it can keep what is accepted: version, eviction policy, append-only file. */
export async function checkFitness(client: RedisClient): Promise<Fitness> {
  const [server, memory, persistence] = await Promise.all(
    ['server', 'memory', 'persistence'].map(async (section) => parseInfo(await readInfo(client, section))),
  )
  return judgeFitness({ ...server, ...memory, ...persistence })
}

/** Decides on the fields of INFO. A field that the server hides is warned about, not guessed. */
export function judgeFitness(info: Record<string, string>): Fitness {
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
  return { refusals, warnings }
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < oldestRedis[0] || (major === oldestRedis[0] && minor < oldestRedis[1])
}

async function readInfo(client: RedisClient, section: string): Promise<string> {
  try {
    return await client.info(section)
  } catch (error) {
    if (redisErrorCode(error) === 'NOPERM') return ''
    throw error
  }
}

function parseInfo(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}
