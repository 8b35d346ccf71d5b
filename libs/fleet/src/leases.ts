import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { tellDockLua } from './changes'
import { redisTimeLua } from './lua'
import { type FleetKeys, times } from './names'
import { redisErrorCode, type RedisClient, runScript, script } from './redis'

export interface Heartbeat {
  /** Whether the lease is still this incarnation's. */
  held: boolean
  registered: boolean
  /** Whether this incarnation had told of itself since the dock was registered: if not, all that it told is gone. */
  known: boolean
  drain: boolean
  /** Redis's time, in milliseconds. */
  redisMs: number
  /** As old as what this Redis holds: another one than before means that its data were lost. Null without the lease. */
  epoch: string | null
}

/** KEYS: lease, dock, docks, epoch, ready. ARGV: incarnation, life of the lease, hostname, state of the daemon, a new epoch, changes. */
const heartbeatScript = script(`
  ${tellDockLua('ARGV[6]')}
  ${redisTimeLua}
  local held = redis.call('GET', KEYS[1]) == ARGV[1]
  local epoch = ''
  if held then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('SET', KEYS[4], ARGV[5], 'NX')
    epoch = redis.call('GET', KEYS[4])
  end
  local registered = redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1
  local known = redis.call('HGET', KEYS[2], 'incarnation') == ARGV[1]
  if held and registered then
    changing(ARGV[3], KEYS[2], function()
      redis.call('HSET', KEYS[2], 'seen', now, 'daemon', ARGV[4], 'incarnation', ARGV[1], 'leased', '1')
    end)
  end
  local drain = redis.call('HEXISTS', KEYS[2], 'drain')
  if held and registered and drain == 0 and ARGV[4] == 'ok' then
    redis.call('ZADD', KEYS[5], now + ARGV[2], ARGV[3])
  elseif held then
    redis.call('ZREM', KEYS[5], ARGV[3])
  end
  return { held and 1 or 0, registered and 1 or 0, drain, known and 1 or 0, now, epoch }`)

/** Notes that a dock's lease is gone, and tells it once. A dock that is not registered has nothing to note it in. */
const tellLossLua = `
  local function tellLoss(hostname, dock)
    if redis.call('TYPE', dock).ok ~= 'hash' or redis.call('HGET', dock, 'leased') ~= '1' then return 0 end
    changing(hostname, dock, function() redis.call('HSET', dock, 'leased', '0') end)
    return 1
  end`

/** KEYS: lease, ready, dock. ARGV: incarnation, hostname, changes. */
const releaseScript = script(`
  ${tellDockLua('ARGV[3]')}
  ${tellLossLua}
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('DEL', KEYS[1])
  tellLoss(ARGV[2], KEYS[3])
  return 1`)

/** KEYS: lease, dock. ARGV: hostname, changes. */
const lostScript = script(`
  ${tellDockLua('ARGV[2]')}
  ${tellLossLua}
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
  return tellLoss(ARGV[1], KEYS[2])`)

/** KEYS: ready. */
const noneReadyScript = script(`
  ${redisTimeLua}
  return redis.call('ZCOUNT', KEYS[1], now, '+inf') == 0 and 1 or 0`)

/**
 * KEYS: lease, identity. ARGV: incarnation, identity. Whoever comes first may have had the name before
 * identities were kept, or before this Redis was: nothing that is there is refused then.
 */
const identityScript = script(`
  ${redisTimeLua}
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { -1, now } end
  local id = redis.call('HGET', KEYS[2], 'id')
  if id ~= ARGV[2] then redis.call('HSET', KEYS[2], 'id', ARGV[2], 'since', id and now or 0) end
  return { tonumber(redis.call('HGET', KEYS[2], 'since')), now }`)

/** The docks' leases: which worker may act for which host name, and which machine that is. Part of `docksOf`. */
export const leasesOf = (redis: RedisClient, keys: FleetKeys) => ({
  /** Takes the lease if it is free. Otherwise tells how long it is held for if nobody renews it, in milliseconds. */
  async acquireLease(hostname: string, incarnation: string): Promise<{ acquired: boolean; heldForMs: number }> {
    const taken = await redis.set(keys.lease(hostname), incarnation, 'PX', times.lease, 'NX')
    if (taken === 'OK') return { acquired: true, heldForMs: times.lease }
    return { acquired: false, heldForMs: Math.max(0, await redis.pttl(keys.lease(hostname))) }
  },

  /** Renews the lease if it is still this incarnation's, and notes that the worker lives. */
  async heartbeat(hostname: string, incarnation: string, daemon: 'ok' | 'unhealthy'): Promise<Heartbeat> {
    const used = [keys.lease(hostname), keys.dock(hostname), keys.docks, keys.epoch, keys.ready]
    const told = [incarnation, times.lease, hostname, daemon, randomUUID(), keys.changes]
    const reply = (await runScript(redis, heartbeatScript, used, told)) as [...flags: number[], epoch: string]
    const [held, registered, drain, known] = reply.slice(0, 4).map((flag) => flag === 1)
    return {
      held: held === true,
      registered: registered === true,
      drain: drain === true,
      known: known === true,
      redisMs: Number(reply[4]),
      epoch: reply[5] === '' ? null : String(reply[5]),
    }
  },

  /** Gives the lease back, so that the next worker need not wait for its end. */
  async releaseLease(hostname: string, incarnation: string): Promise<void> {
    const used = [keys.lease(hostname), keys.ready, keys.dock(hostname)]
    await runScript(redis, releaseScript, used, [incarnation, hostname, keys.changes])
  },

  /** Tells, once, that a dock's lease has run out, where it has. */
  async tellLost(hostname: string): Promise<void> {
    await runScript(redis, lostScript, [keys.lease(hostname), keys.dock(hostname)], [hostname, keys.changes])
  },

  /** Whether no dock may be given new containers, as they told with their last heartbeats. */
  async noneIsReady(): Promise<boolean> {
    return (await runScript(redis, noneReadyScript, [keys.ready], [])) === 1
  },

  /**
   * Notes which machine has the host name, and tells since when it is that one, by Redis's clock in milliseconds: 0
   * where no other is known to have had it. The answer is null where the lease is not this incarnation's.
   */
  async identify(
    hostname: string,
    incarnation: string,
    identity: string,
  ): Promise<{ since: number; redisMs: number } | null> {
    const used = [keys.lease(hostname), keys.identity(hostname)]
    const [since, redisMs] = (await runScript(redis, identityScript, used, [incarnation, identity])) as [number, number]
    return since < 0 ? null : { since, redisMs }
  },

  /** How long this Redis has been up, in milliseconds; 0 where it does not tell. */
  async redisUptimeMs(): Promise<number> {
    try {
      return 1000 * Number(/^uptime_in_seconds:(\d+)/m.exec(await redis.info('server'))?.[1] ?? 0)
    } catch (error) {
      if (redisErrorCode(error) === 'NOPERM') return 0
      throw error
    }
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

  /** Which of these docks are leased at this moment, in their order and in one round trip. */
  async leasedOf(hostnames: string[]): Promise<boolean[]> {
    const asked = redis.pipeline()
    for (const hostname of hostnames) asked.exists(keys.lease(hostname))
    return ((await asked.exec()) ?? []).map(([error, exists]) => {
      if (error) throw error
      return exists === 1
    })
  },
})
