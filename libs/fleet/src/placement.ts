import type { Claim, Placement } from './claim'
import type { Dock } from './docks'
import type { JobPayload } from './job'
import { type Reason, tellJobLua, toldBy } from './job-telling'
import { type FleetKeys, times } from './names'
import { overRedis, type RedisClient, runScript, script } from './redis'

export type { Placement } from './claim'

export type Placements = ReturnType<typeof placementsOf>

/** Deals slots 1..count round-robin over the docks, beginning after the first `dealt` cards of earlier deals. */
export function deal(count: number, docks: readonly string[], dealt: number): string[] {
  if (docks.length === 0) return []
  return Array.from({ length: count }, (_, n) => docks[(dealt + n) % docks.length] as string)
}

/** The docks that may be given new containers. */
export const readyDocks = (docks: readonly Dock[]): string[] =>
  docks.filter(({ state }) => state === 'ready').map(({ hostname }) => hostname)

/** Tells the claim that holds: `placed` has it, `ended` whether the slot has an outcome. */
const tellLua = `
  return { placed[1] or '', placed[2] or '0', ended }`

/** Of whose slot it is told that it was placed, and why there. */
export interface PlacedFor {
  payload: JobPayload
  reason: Reason
}

export interface GivenUp {
  payload: JobPayload
  why: string
}

/** KEYS: placement, job, events. ARGV[1]: slot. */
const lookLua = `
  local placed = redis.call('HMGET', KEYS[1], 'hostname', 'epoch')
  local ended = redis.call('HEXISTS', KEYS[2], 'slot:' .. ARGV[1])`

/** ARGV: slot, hostname, life of a first claim, life of a later one, by what it is told ('' for not at all), why. */
const placeLua = `
  placed = { ARGV[2], tostring((placed[2] or 0) + 1) }
  redis.call('HSET', KEYS[1], 'hostname', placed[1], 'epoch', placed[2])
  redis.call('PEXPIRE', KEYS[1], placed[2] == '1' and ARGV[3] or ARGV[4])
  tellJob('placed', ARGV[1], ARGV[2], ARGV[6])`

/** A create that is this dock's begins here: it is counted already (see outcomes.ts). */
const startLua = `
  if ended == 0 and placed[1] == ARGV[2] then
    tellJob('started', ARGV[1], ARGV[2], '{"attempt":' .. (redis.call('HGET', KEYS[2], 'starts:' .. ARGV[1]) or 1) .. '}')
  end`

const tellPlacedLua = tellJobLua({ job: 'KEYS[2]', events: 'KEYS[3]', told: 'ARGV[5]' })

const claimScript = script(`${tellPlacedLua} ${lookLua}
  if ended == 0 and (placed[1] or '') == '' then ${placeLua}
  end ${startLua} ${tellLua}`)

/** ARGV[7..8]: the claim that is taken over. */
const reclaimScript = script(`${tellPlacedLua} ${lookLua}
  if ended == 0 and placed[1] == ARGV[7] and placed[2] == ARGV[8] then ${placeLua}
  end ${startLua} ${tellLua}`)

/** KEYS: placement, job, events. ARGV: slot, hostname, epoch, by what it is told ('' for not at all), why. */
const releaseScript = script(`
  ${tellJobLua({ job: 'KEYS[2]', events: 'KEYS[3]', told: 'ARGV[4]' })}
  local placed = redis.call('HMGET', KEYS[1], 'hostname', 'epoch')
  if placed[1] ~= ARGV[2] or placed[2] ~= ARGV[3] then return 0 end
  if redis.call('HEXISTS', KEYS[2], 'slot:' .. ARGV[1]) == 1 then return 0 end
  redis.call('HSET', KEYS[1], 'hostname', '')
  tellJob('waiting', ARGV[1], ARGV[2], ARGV[5])
  return 1`)

/** KEYS: placement. Nothing is made where nothing was, so that every placement has an end. */
const revokeScript = script(`
  if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'hostname', '') end
  return 1`)

/** The recorded decisions which dock gets a (job, slot): claim.ts in Redis. */
export function placementsOf(redis: RedisClient, keys: FleetKeys) {
  const recordsOf = (job: string, slot: number, record: string) => [
    keys.placement(job, slot),
    keys.job(record),
    keys.jobEvents(record),
  ]
  const lives = [times.placement, times.laterPlacement]
  const toldFor = (placed?: PlacedFor) =>
    placed ? [toldBy(keys, placed.payload), JSON.stringify(placed.reason)] : ['', '']

  return overRedis({
    /**
     * Claims the slot for the dock unless it is claimed or has ended; returns the claim that holds, maybe another's. A job
     * that tries another one again shares its claims; whether the slot has ended its own `record` says.
     */
    async claim(job: string, slot: number, hostname: string, record = job, placed?: PlacedFor): Promise<Claim> {
      const args = [slot, hostname, ...lives, ...toldFor(placed)]
      return claimFrom(await runScript(redis, claimScript, recordsOf(job, slot, record), args))
    },

    /** Moves a claim that has not changed since `was` to this dock; returns the claim that holds. */
    async reclaim(
      job: string,
      slot: number,
      hostname: string,
      was: Placement,
      record = job,
      placed?: PlacedFor,
    ): Promise<Claim> {
      const args = [slot, hostname, ...lives, ...toldFor(placed), was.hostname, was.epoch]
      return claimFrom(await runScript(redis, reclaimScript, recordsOf(job, slot, record), args))
    },

    /**
     * Gives a claim up if it is still this one and the slot has not ended, so that another dock may take the slot at once;
     * tells whether it was. What was made under it is nobody's from then on: to be called where nothing was sent to the daemon, or is to go. `given`:
     * whose slot it is, and why it waits from now on, to tell so.
     */
    async release(job: string, slot: number, hostname: string, epoch: number, given?: GivenUp): Promise<boolean> {
      const why = given ? [toldBy(keys, given.payload), JSON.stringify({ why: given.why })] : ['', '']
      const used = recordsOf(job, slot, given?.payload.jobId ?? job)
      return (await runScript(redis, releaseScript, used, [slot, hostname, epoch, ...why])) === 1
    },

    /** Takes the slot from whoever has it: what was made for it up to now is nobody's, even if it comes to be later. */
    async revoke(job: string, slot: number): Promise<void> {
      await runScript(redis, revokeScript, [keys.placement(job, slot)], [])
    },

    /** The claims that hold for these slots, in their order; null where there is none. */
    async read(slots: readonly { job: string; slot: number }[]): Promise<(Placement | null)[]> {
      const reads = redis.pipeline()
      for (const { job, slot } of slots) reads.hmget(keys.placement(job, slot), 'hostname', 'epoch')
      return ((await reads.exec()) ?? []).map(([error, reply]) => {
        if (error) throw error
        const [hostname, epoch] = reply as [string | null, string]
        return hostname === null ? null : { hostname, epoch: Number(epoch) }
      })
    },

    /** How many slots were dealt before these `count`: where the round goes on. */
    async takeTurn(count: number): Promise<number> {
      return (await redis.incrby(keys.deals, count)) - count
    },
  })
}

function claimFrom(reply: unknown): Claim {
  const [hostname, epoch, ended] = reply as [string, string, number]
  return { hostname, epoch: Number(epoch), ...(ended === 1 && { ended: true }) }
}
