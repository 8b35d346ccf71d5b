import type { Dock } from './docks'
import { type FleetKeys, times } from './names'
import { overRedis, type RedisClient, runScript, script } from './redis'

/** Where a (job, slot) was placed; the epoch counts how often that had to be decided anew. */
export interface Placement {
  hostname: string
  epoch: number
}

export type Placements = ReturnType<typeof placementsOf>

/** Deals slots 1..count round-robin over the docks, beginning after the first `dealt` cards of earlier deals. */
export function deal(count: number, docks: readonly string[], dealt: number): string[] {
  if (docks.length === 0) return []
  return Array.from({ length: count }, (_, n) => docks[(dealt + n) % docks.length] as string)
}

/** The docks that may be given new containers. */
export const readyDocks = (docks: readonly Dock[]): string[] =>
  docks.filter(({ state }) => state === 'ready').map(({ hostname }) => hostname)

const claimScript = script(`
  if redis.call('HSETNX', KEYS[1], 'hostname', ARGV[1]) == 1 then redis.call('HSET', KEYS[1], 'epoch', 1) end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return redis.call('HMGET', KEYS[1], 'hostname', 'epoch')`)

const reclaimScript = script(`
  if redis.call('HGET', KEYS[1], 'epoch') == ARGV[2] then
    redis.call('HSET', KEYS[1], 'hostname', ARGV[1], 'epoch', ARGV[2] + 1)
  end
  return redis.call('HMGET', KEYS[1], 'hostname', 'epoch')`)

/** The recorded decisions which dock gets a (job, slot). */
export function placementsOf(redis: RedisClient, keys: FleetKeys) {
  return overRedis({
    /** Claims the slot for the dock unless it is claimed already; returns the claim that holds, maybe another's. */
    async claim(job: string, slot: number, hostname: string): Promise<Placement> {
      return placementFrom(
        await runScript(redis, claimScript, [keys.placement(job, slot)], [hostname, times.placement]),
      )
    },

    /** Moves a claim that has not changed since `was` to this dock; returns the claim that holds. */
    async reclaim(job: string, slot: number, hostname: string, was: Placement): Promise<Placement> {
      return placementFrom(await runScript(redis, reclaimScript, [keys.placement(job, slot)], [hostname, was.epoch]))
    },

    /** The claims that hold for these slots, in their order; null where there is none. */
    async read(slots: { job: string; slot: number }[]): Promise<(Placement | null)[]> {
      const reads = redis.pipeline()
      for (const { job, slot } of slots) reads.hmget(keys.placement(job, slot), 'hostname', 'epoch')
      return ((await reads.exec()) ?? []).map(([error, reply]) => {
        if (error) throw error
        return (reply as [string | null])[0] === null ? null : placementFrom(reply)
      })
    },

    /** How many slots were dealt before these `count`: where the round goes on. */
    async takeTurn(count: number): Promise<number> {
      return (await redis.incrby(keys.deals, count)) - count
    },
  })
}

function placementFrom(reply: unknown): Placement {
  const [hostname, epoch] = reply as [string, string]
  return { hostname, epoch: Number(epoch) }
}
