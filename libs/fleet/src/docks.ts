import { DebloxError } from '@deblox/actions/errors'
import { forgetDockLua } from './index'
import { leasesOf } from './leases'
import { redisTimeLua } from './lua'
import type { FleetKeys } from './names'
import type { SealKey } from './signing/seal'
import { overRedis, redisErrorCode, type RedisClient, runScript, script } from './redis'

export type DockState = 'ready' | 'unreachable' | 'daemon-unhealthy' | 'drained'

/** What a worker tells of its daemon's machine. */
export interface EngineFacts {
  engineVersion: string
  apiVersion: string
  os: string
  cpus: number
  /** Bytes. */
  memory: number
}

export interface Dock extends Partial<EngineFacts> {
  hostname: string
  state: DockState
  labels: Record<string, string>
  drain: boolean
  /** When its worker was last heard of, by Redis's clock; null if never. */
  lastSeen: string | null
  /** When its containers were last listed in full; null if never. */
  listedAt: string | null
}

export type Docks = ReturnType<typeof docksOf>

const describeScript = script(`
  if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
  redis.call('HSET', KEYS[2], unpack(ARGV, 2))
  return 1`)

const patchScript = script(`
  if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
  if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], 'labels', ARGV[2]) end
  if ARGV[3] == '1' then redis.call('HSET', KEYS[2], 'drain', '1') end
  if ARGV[3] == '0' then redis.call('HDEL', KEYS[2], 'drain') end
  return 1`)

/**
 * KEYS: docks, registrations, removed, … ARGV: hostname, when it was accepted. What was accepted before the last change
 * changes nothing: it comes late, by the hand of a worker that was frozen. A time that is not yet counts as now, or
 * a clock that is ahead would keep everybody else from changing anything until then.
 */
const unlessLateLua = `
  ${redisTimeLua}
  local accepted = math.min(tonumber(ARGV[2]) or now, now)
  if accepted < tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0) then return 0 end
  redis.call('HSET', KEYS[2], ARGV[1], accepted)`

const registerScript = script(`
  ${unlessLateLua}
  redis.call('ZREM', KEYS[3], ARGV[1])
  return redis.call('SADD', KEYS[1], ARGV[1])`)

const unregisterScript = script(`
  ${unlessLateLua}
  redis.call('ZREM', KEYS[4], ARGV[1])
  if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then redis.call('ZADD', KEYS[3], now, ARGV[1]) end
  return 1`)

/** KEYS: docks, dock, … ARGV: hostname. One that has come back meanwhile is left as it is. */
const forgetScript = script(`
  if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 0 end
  redis.call('DEL', KEYS[2])
  ${forgetDockLua}`)

/** The set of registered docks, and what is known of each. */
export function docksOf(redis: RedisClient, keys: FleetKeys) {
  const read = async (hostnames: string[]): Promise<Dock[]> => {
    const hashes = redis.pipeline()
    for (const hostname of hostnames) hashes.hgetall(keys.dock(hostname)).exists(keys.lease(hostname))
    const replies = (await hashes.exec()) ?? []
    return hostnames.map((hostname, n) => {
      const [hashError, fields] = replies[2 * n] ?? []
      const [leaseError, leased] = replies[2 * n + 1] ?? []
      // What a dock's own Redis user has put there must not keep the others from being seen.
      const isSpoilt = redisErrorCode(hashError) === 'WRONGTYPE'
      if ((hashError && !isSpoilt) || leaseError) throw (hashError ?? leaseError) as Error
      return dockFrom(hostname, (isSpoilt ? {} : (fields ?? {})) as Record<string, string>, leased === 1)
    })
  }
  const registrations = [keys.docks, keys.registrations, keys.removed]
  const forget = async (hostname: string): Promise<void> => {
    const known = [keys.docks, keys.dock(hostname), keys.containers(hostname), keys.ids, keys.names, keys.owned]
    await runScript(redis, forgetScript, known, [hostname])
  }
  const names = async (): Promise<string[]> => (await redis.smembers(keys.docks)).sort()

  return overRedis({
    ...leasesOf(redis, keys),

    /** Adds the hostname to the known docks, unless a later-accepted change has been made since. */
    async register(hostname: string, acceptedAt?: number): Promise<void> {
      await runScript(redis, registerScript, registrations, [hostname, acceptedAt ?? ''])
    },

    /**
     * Removes the hostname and all that the fleet knows of it, unless a later-accepted change has been made since; its
     * containers are left running.
     */
    async unregister(hostname: string, acceptedAt?: number): Promise<void> {
      const args = [hostname, acceptedAt ?? '']
      if ((await runScript(redis, unregisterScript, [...registrations, keys.ready], args)) !== 1) return
      // Where a dock's Redis user may touch nothing of another dock, an API replica does this a moment later.
      await forget(hostname).catch(unlessNotPermitted)
    },

    /** Removes all that is known of a dock that is not registered. */
    forget,

    /** The host names that were unregistered and have not come back, the first one first. */
    async removed(): Promise<string[]> {
      return redis.zrange(keys.removed, '0', '-1')
    },

    /** Forgets which host names were unregistered before then, in milliseconds since 1970 by Redis's clock. */
    async forgetRemoved(before: number): Promise<void> {
      await redis.zremrangebyscore(keys.removed, '-inf', `(${before}`)
    },

    /** The registered host names, sorted. */
    names,

    async isRegistered(hostname: string): Promise<boolean> {
      return (await redis.sismember(keys.docks, hostname)) === 1
    },

    /** Whether the dock is registered and not drained: it may be given new containers. */
    async takesContainers(hostname: string): Promise<boolean> {
      const asked = redis.pipeline().sismember(keys.docks, hostname).hexists(keys.dock(hostname), 'drain')
      const [registered, drained] = (await asked.exec()) ?? []
      const error = registered?.[0] ?? drained?.[0]
      if (error) throw error
      return registered?.[1] === 1 && drained?.[1] === 0
    },

    /** All registered docks with their states, sorted by host name. */
    async list(): Promise<Dock[]> {
      return read(await names())
    },

    /** The state of each of these docks, or of all that are registered. */
    async states(hostnames?: string[]): Promise<Map<string, DockState>> {
      return new Map((await read(hostnames ?? (await names()))).map(({ hostname, state }) => [hostname, state]))
    },

    /** Throws `dock_not_found`. */
    async get(hostname: string): Promise<Dock> {
      const [dock] = (await redis.sismember(keys.docks, hostname)) ? await read([hostname]) : []
      if (!dock) throw dockNotFound(hostname)
      return dock
    },

    /** Sets the labels, or takes a dock out of placement (drain) and back. Throws `dock_not_found`. */
    async patch(hostname: string, { labels, drain }: { labels?: Record<string, string>; drain?: boolean }) {
      const changes = [hostname, labels ? JSON.stringify(labels) : '', drain === undefined ? '' : drain ? '1' : '0']
      const found = await runScript(redis, patchScript, [keys.docks, keys.dock(hostname)], changes)
      if (found !== 1) throw dockNotFound(hostname)
    },

    /** Writes what the worker knows of its engine, and to what secrets for it are sealed; false where the dock is not registered. */
    async describe(hostname: string, facts: EngineFacts, seal?: SealKey): Promise<boolean> {
      const fields = [hostname, 'engine', JSON.stringify(facts), ...(seal ? ['seal', JSON.stringify(seal)] : [])]
      return (await runScript(redis, describeScript, [keys.docks, keys.dock(hostname)], fields)) === 1
    },
  })
}

function unlessNotPermitted(error: unknown): void {
  if (redisErrorCode(error) !== 'NOPERM') throw error
}

function dockFrom(hostname: string, fields: Record<string, string>, leased: boolean): Dock {
  const drain = fields['drain'] === '1'
  const engine = objectIn(fields['engine']) as EngineFacts
  return {
    hostname,
    state: stateOf(leased, fields['daemon'] === 'unhealthy', drain),
    labels: objectIn(fields['labels']) as Record<string, string>,
    drain,
    ...engine,
    lastSeen: isoTime(fields['seen']),
    listedAt: isoTime(fields['listed']),
  }
}

function stateOf(leased: boolean, unhealthy: boolean, drain: boolean): DockState {
  if (!leased) return 'unreachable'
  if (unhealthy) return 'daemon-unhealthy'
  return drain ? 'drained' : 'ready'
}

/** What cannot be read is as good as not told. */
function objectIn(text: string | undefined): object {
  try {
    const parsed: unknown = JSON.parse(text ?? '{}')
    return typeof parsed === 'object' && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}

const isoTime = (ms: string | undefined): string | null =>
  ms && Number.isFinite(new Date(Number(ms)).getTime()) ? new Date(Number(ms)).toISOString() : null

const dockNotFound = (hostname: string): DebloxError =>
  new DebloxError('dock_not_found', `hostname: expected a registered dock (see GET /v1/docks), got ${hostname}`)
