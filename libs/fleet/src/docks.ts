import { setTimeout as wait } from 'node:timers/promises'
import { DebloxError } from '@deblox/actions/errors'
import { forgetDockLua } from './index'
import { type FleetKeys, times } from './names'
import { overRedis, type RedisClient, runScript, script } from './redis'

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

export interface Heartbeat {
  /** Whether the lease is still this incarnation's. */
  held: boolean
  registered: boolean
  /** Whether this incarnation had told of itself since the dock was registered: if not, all that it told is gone. */
  known: boolean
  drain: boolean
}

export type Docks = ReturnType<typeof docksOf>

const heartbeatScript = script(`
  local held = redis.call('GET', KEYS[1]) == ARGV[1]
  if held then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  local registered = redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1
  local known = redis.call('HGET', KEYS[2], 'incarnation') == ARGV[1]
  if held and registered then
    local now = redis.call('TIME')
    local seen = now[1] * 1000 + math.floor(now[2] / 1000)
    redis.call('HSET', KEYS[2], 'seen', seen, 'daemon', ARGV[4], 'incarnation', ARGV[1])
  end
  return { held and 1 or 0, registered and 1 or 0, redis.call('HEXISTS', KEYS[2], 'drain'), known and 1 or 0 }`)

const releaseScript = script(`
  if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
  return 0`)

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

const unregisterScript = script(`
  redis.call('SREM', KEYS[1], ARGV[1])
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
      if (hashError ?? leaseError) throw (hashError ?? leaseError) as Error
      return dockFrom(hostname, (fields ?? {}) as Record<string, string>, leased === 1)
    })
  }
  const names = async (): Promise<string[]> => (await redis.smembers(keys.docks)).sort()

  return overRedis({
    /** Adds the hostname to the known docks. */
    async register(hostname: string): Promise<void> {
      await redis.sadd(keys.docks, hostname)
    },

    /** Removes the hostname and all that the fleet knows of it; its containers are left running. */
    async unregister(hostname: string): Promise<void> {
      const known = [keys.docks, keys.dock(hostname), keys.containers(hostname), keys.ids, keys.names]
      await runScript(redis, unregisterScript, known, [hostname])
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

    /** Writes what the worker knows of its engine; false where the dock is not registered. */
    async describe(hostname: string, facts: EngineFacts): Promise<boolean> {
      const fields = [hostname, 'engine', JSON.stringify(facts)]
      return (await runScript(redis, describeScript, [keys.docks, keys.dock(hostname)], fields)) === 1
    },

    /** Takes the lease if it is free. Otherwise tells how long it is held for if nobody renews it, in milliseconds. */
    async acquireLease(hostname: string, incarnation: string): Promise<{ acquired: boolean; heldForMs: number }> {
      const taken = await redis.set(keys.lease(hostname), incarnation, 'PX', times.lease, 'NX')
      if (taken === 'OK') return { acquired: true, heldForMs: times.lease }
      return { acquired: false, heldForMs: Math.max(0, await redis.pttl(keys.lease(hostname))) }
    },

    /** Renews the lease if it is still this incarnation's, and notes that the worker lives. */
    async heartbeat(hostname: string, incarnation: string, daemon: 'ok' | 'unhealthy'): Promise<Heartbeat> {
      const used = [keys.lease(hostname), keys.dock(hostname), keys.docks]
      const reply = await runScript(redis, heartbeatScript, used, [incarnation, times.lease, hostname, daemon])
      const [held, registered, drain, known] = (reply as number[]).map((flag) => flag === 1)
      return { held: held === true, registered: registered === true, drain: drain === true, known: known === true }
    },

    /** Gives the lease back, so that the next worker need not wait for its end. */
    async releaseLease(hostname: string, incarnation: string): Promise<void> {
      await runScript(redis, releaseScript, [keys.lease(hostname)], [incarnation])
    },

    /**
     * Whether a worker lives that acts for the dock: it renews its lease. One that has died has it for a while still,
     * which is why this takes the time of a heartbeat to say yes, and what is left of a lease to say no.
     */
    async isLeased(hostname: string): Promise<boolean> {
      for (let left = Infinity; ;) {
        const now = await redis.pttl(keys.lease(hostname))
        if (now <= 0 || now > left) return now > 0
        left = now
        await wait(times.heartbeat / 4)
      }
    },
  })
}

function dockFrom(hostname: string, fields: Record<string, string>, leased: boolean): Dock {
  const drain = fields['drain'] === '1'
  const engine = fields['engine'] ? (JSON.parse(fields['engine']) as EngineFacts) : {}
  return {
    hostname,
    state: stateOf(leased, fields['daemon'] === 'unhealthy', drain),
    labels: fields['labels'] ? (JSON.parse(fields['labels']) as Record<string, string>) : {},
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

const isoTime = (ms: string | undefined): string | null => (ms ? new Date(Number(ms)).toISOString() : null)

const dockNotFound = (hostname: string): DebloxError =>
  new DebloxError('dock_not_found', `hostname: expected a registered dock (see GET /v1/docks), got ${hostname}`)
