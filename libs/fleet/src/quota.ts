import type { Size } from '@deblox/actions/admission/size'
import { DebloxError } from '@deblox/actions/errors'
import { labelNames } from '@deblox/actions/made'
import type { Quota } from './allowances'
import { digest } from './digest'
import type { FleetIndex } from './index'
import type { FleetKeys } from './names'
import { placesIn } from './places'
import { overRedis, type RedisClient, runScript, script } from './redis'

/** What a create will take, for each of its containers. */
export interface Demand extends Size {
  owner: string
  jobId: string
  slots: number
}

export type Quotas = ReturnType<typeof quotasOf>

/** Of a create that was let in and never accepted nothing is kept longer, in milliseconds. */
const unacceptedMs = 60_000

/**
 * KEYS: reserved. ARGV: job key's beginning. Drops what has ended, and what was never accepted. Of what has ended by now the
 * index has the container: whoever reads that afterwards counts each once at least.
 */
const sweepScript = script(`
  local now = redis.call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
  local reserved = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
  for n = 1, #reserved, 2 do
    local job, slot = string.match(reserved[n], '^(.*)%.(%d+)%.%d+%.%d+$')
    local key = ARGV[1] .. job
    local ended = redis.call('HEXISTS', key, 'slot:' .. slot) == 1
    local lost = redis.call('EXISTS', key) == 0 and now - reserved[n + 1] > ${unacceptedMs}
    if ended or lost then redis.call('ZREM', KEYS[1], reserved[n]) end
  end`)

/**
 * KEYS: reserved, the owner's containers. ARGV: owner, job, slots, memory and thousandths of CPUs of one, memory and
 * thousandths of CPUs that his containers have, the most containers, memory and thousandths of CPUs (-1: without bound).
 * Lets the create in and answers nothing, or answers what would be beyond which bound. One script, so that of many that ask
 * at the same moment no more pass than there is room for.
 */
const reserveScript = script(`
  local job, slots = ARGV[2], tonumber(ARGV[3])
  local now = redis.call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
  local count = redis.call('HLEN', KEYS[2])
  local used = { count, tonumber(ARGV[6]), tonumber(ARGV[7]) }
  for _, reserved in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local memory, cpus = string.match(reserved, '%.(%d+)%.(%d+)$')
    used = { used[1] + 1, used[2] + memory, used[3] + cpus }
  end
  local each = { 1, tonumber(ARGV[4]), tonumber(ARGV[5]) }
  for n = 1, 3 do
    local most = tonumber(ARGV[7 + n])
    if most >= 0 and used[n] + each[n] * slots > most then return { n, used[n] } end
  end
  for slot = 1, slots do
    redis.call('ZADD', KEYS[1], now, job .. '.' .. slot .. '.' .. ARGV[4] .. '.' .. ARGV[5])
  end
  return false`)

const thousandths = (cpus: number): number => Math.ceil(cpus * 1000)

/** How much owners may have in the fleet, and what they have of it. */
export function quotasOf(redis: RedisClient, keys: FleetKeys, index: FleetIndex) {
  /** The limits of all of an owner's containers, as they were made. */
  const sizeOf = async (owner: string): Promise<Size> => {
    const labels = (await index.rowsOwnedBy(owner)).map((row) => row.labels)
    const sum = (name: string) => labels.reduce((total, one) => total + (Number(one[name]) || 0), 0)
    return { memory: sum(labelNames.memory), cpus: sum(labelNames.cpus) }
  }

  return overRedis({
    /** Lets a create in, or throws `quota_exceeded`. Where a sum is bounded every container must have a limit of its own. */
    async reserve(quota: Quota, { owner, jobId, slots, memory, cpus }: Demand): Promise<void> {
      const { containers, memory: mostMemory, cpus: mostCpus } = quota
      if (mostMemory !== undefined && memory === 0) throw unlimited('memory')
      if (mostCpus !== undefined && cpus === 0) throw unlimited('cpus')
      await runScript(redis, sweepScript, [keys.reserved(digest(owner))], [keys.job('')])
      const isSummed = mostMemory !== undefined || mostCpus !== undefined
      const has = isSummed ? await sizeOf(owner) : { memory: 0, cpus: 0 }
      const beyond = await runScript(
        redis,
        reserveScript,
        [keys.reserved(digest(owner)), placesIn(keys).ofOwner(owner)],
        [
          owner,
          jobId,
          slots,
          memory,
          thousandths(cpus),
          has.memory,
          thousandths(has.cpus),
          containers ?? -1,
          mostMemory ?? -1,
          mostCpus === undefined ? -1 : thousandths(mostCpus),
        ],
      )
      if (!Array.isArray(beyond)) return
      const [which, used] = beyond as [number, number]
      const per = which === 3 ? 1000 : 1
      const [name, most, each] = (
        [
          ['containers', containers, 1],
          ['memory', mostMemory, memory],
          ['cpus', mostCpus, cpus],
        ] as const
      )[which - 1] as [string, number, number]
      throw exceeded(owner, name, most, used / per, each * slots)
    },
  })
}

const exceeded = (owner: string, name: string, most: number, used: number, more: number): DebloxError =>
  new DebloxError(
    'quota_exceeded',
    `${name}: expected at most ${most} for ${owner} in the whole fleet, got ${used} that are there or on their way and ${more} more`,
    { details: { quota: name, most, used } },
  )

const unlimited = (name: 'memory' | 'cpus'): DebloxError =>
  new DebloxError(
    'quota_exceeded',
    `${name}: expected a limit of the container, because the owner's is bounded; got none`,
    {
      details: { quota: name },
    },
  )
