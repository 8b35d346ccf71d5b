import type { KeyObject } from 'node:crypto'
import { isDockOf } from '@deblox/actions/access/decide'
import type { Rules } from '@deblox/actions/admission/rules'
import { withMac, withoutMac } from './maced'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient } from './redis'

/** What the containers of an owner may ask for, and how much he may have. */
export interface Allowance {
  /** Where nothing else is said; `restricted` for whoever was given nothing. */
  rules: Rules
  /** Other rules on some docks, which the request must name; the first that fits holds. */
  onDocks?: { docks: string[]; rules: Rules }[]
  quota?: Quota
}

/** How much an owner may have in the whole fleet; without bound what is not named. */
export interface Quota {
  containers?: number
  /** Of all his containers' limits together, in bytes. */
  memory?: number
  /** Of all his containers' limits together. */
  cpus?: number
  /** Jobs that have been accepted and have not ended. */
  jobs?: number
}

export type Allowances = ReturnType<typeof allowancesOf>

/** For owners of whom nobody has said anything. */
export const leastAllowance: Allowance = { rules: { profile: 'restricted' } }

/** What owners may ask for. Only what the API itself has written down is believed. */
export function allowancesOf(redis: RedisClient, keys: FleetKeys, key: KeyObject) {
  return overRedis({
    async of(owner: string): Promise<Allowance> {
      const stored = await redis.hget(keys.allowances, owner)
      const text = stored === null ? undefined : withoutMac(`allowance:${owner}`, stored, key)
      return text === undefined ? leastAllowance : (JSON.parse(text) as Allowance)
    },

    async set(owner: string, allowance: Allowance): Promise<void> {
      await redis.hset(keys.allowances, owner, withMac(`allowance:${owner}`, JSON.stringify(allowance), key))
    },
  })
}

/** The rules on one dock, or where the dock is not known yet. */
export function rulesOn({ rules, onDocks = [] }: Allowance, hostname?: string): Rules {
  if (hostname === undefined) return rules
  const fitting = onDocks.find(({ docks }) => docks.some((pattern) => isDockOf(pattern, hostname)))
  return fitting?.rules ?? rules
}
