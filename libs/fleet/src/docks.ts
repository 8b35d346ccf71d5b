import { DebloxError } from '@deblox/actions/errors'
import { tellDockLua, tellLua } from './changes'
import { type Dock, dockFrom, type DockState, type EngineFacts } from './dock-rows'
import { forgetDockLua } from './index-scripts'
import { leasesOf } from './leases'
import { redisTimeLua } from './lua'
import type { FleetKeys } from './names'
import { placesArguments } from './places'
import type { SealKey } from './signing/seal'
import { overRedis, redisErrorCode, type RedisClient, runScript, script } from './redis'

export type { Dock, DockState, EngineFacts }

export type Docks = ReturnType<typeof docksOf>

/** KEYS: docks, dock. ARGV: hostname, the stream of changes, names and values in turn. */
const describeScript = script(`
  ${tellDockLua('ARGV[2]')}
  if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
  changing(ARGV[1], KEYS[2], function() redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end)
  return 1`)

/** KEYS: docks, dock. ARGV: hostname, the stream of changes, labels or '', '1' or '0' for drain or ''. */
const patchScript = script(`
  ${tellDockLua('ARGV[2]')}
  if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
  changing(ARGV[1], KEYS[2], function()
    if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], 'labels', ARGV[3]) end
    if ARGV[4] == '1' then redis.call('HSET', KEYS[2], 'drain', '1') end
    if ARGV[4] == '0' then redis.call('HDEL', KEYS[2], 'drain') end
  end)
  return 1`)

/**
 * KEYS: docks, registrations, removed, … ARGV: hostname, when it was accepted, the stream of changes. What was accepted before the last change
 * changes nothing: it comes late, by the hand of a worker that was frozen. A time that is not yet counts as now, or
 * a clock that is ahead would keep everybody else from changing anything until then.
 */
const unlessLateLua = `
  ${redisTimeLua}
  local accepted = math.min(tonumber(ARGV[2]) or now, now)
  if accepted < tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0) then return 0 end
  redis.call('HSET', KEYS[2], ARGV[1], accepted)`

/** Whoever does this may not read what else is known of that dock: its row tells no more than that it is there. */
const registerScript = script(`
  ${tellLua('ARGV[3]')}
  ${unlessLateLua}
  redis.call('ZREM', KEYS[3], ARGV[1])
  if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then tell('dock', 'set', ARGV[1], ARGV[1], '{}') end
  return 1`)

const unregisterScript = script(`
  ${tellLua('ARGV[3]')}
  ${unlessLateLua}
  redis.call('ZREM', KEYS[4], ARGV[1])
  if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then
    redis.call('ZADD', KEYS[3], now, ARGV[1])
    tell('dock', 'gone', ARGV[1], ARGV[1], '')
  end
  return 1`)

/** KEYS: docks, dock, images, volumes, networks, containers. ARGV: as `forgetDockLua` wants them. One that has come back meanwhile is left as it is. */
const forgetScript = script(`
  if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 0 end
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
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
    const objects = [keys.images(hostname), keys.volumes(hostname), keys.networks(hostname), keys.containers(hostname)]
    const known = [keys.docks, keys.dock(hostname), ...objects]
    await runScript(redis, forgetScript, known, [hostname, ...placesArguments(keys)])
  }
  const names = async (): Promise<string[]> => (await redis.smembers(keys.docks)).sort()

  return overRedis({
    ...leasesOf(redis, keys),

    /** Adds the hostname to the known docks, unless a later-accepted change has been made since. */
    async register(hostname: string, acceptedAt?: number): Promise<void> {
      await runScript(redis, registerScript, registrations, [hostname, acceptedAt ?? '', keys.changes])
    },

    /**
     * Removes the hostname and all that the fleet knows of it, unless a later-accepted change has been made since; its
     * containers are left running.
     */
    async unregister(hostname: string, acceptedAt?: number): Promise<void> {
      const args = [hostname, acceptedAt ?? '', keys.changes]
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
      const drained = drain === undefined ? '' : drain ? '1' : '0'
      const changes = [hostname, keys.changes, labels ? JSON.stringify(labels) : '', drained]
      const found = await runScript(redis, patchScript, [keys.docks, keys.dock(hostname)], changes)
      if (found !== 1) throw dockNotFound(hostname)
    },

    /** Writes what the worker knows of its engine, and to what secrets for it are sealed; false where the dock is not registered. */
    async describe(hostname: string, facts: EngineFacts, seal?: SealKey): Promise<boolean> {
      const told = ['engine', JSON.stringify(facts), ...(seal ? ['seal', JSON.stringify(seal)] : [])]
      const fields = [hostname, keys.changes, ...told]
      return (await runScript(redis, describeScript, [keys.docks, keys.dock(hostname)], fields)) === 1
    },
  })
}

function unlessNotPermitted(error: unknown): void {
  if (redisErrorCode(error) !== 'NOPERM') throw error
}

const dockNotFound = (hostname: string): DebloxError =>
  new DebloxError('dock_not_found', `hostname: expected a registered dock (see GET /v1/docks), got ${hostname}`)
