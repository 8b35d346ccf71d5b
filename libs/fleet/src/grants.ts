import { randomUUID, type KeyObject } from 'node:crypto'
import type { Grant } from '@deblox/actions/access/decide'
import { DebloxError } from '@deblox/actions/errors'
import { withMac, withoutMac } from './maced'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient } from './redis'

export type Grants = ReturnType<typeof grantsOf>

/** A replica goes by what it has read so long ago at the most, in milliseconds: a grant that is taken back ends with it. */
const freshMs = 1_000

/** Who may do what with containers that are not his. Only what the API itself has written down is believed. */
export function grantsOf(redis: RedisClient, keys: FleetKeys, key: KeyObject) {
  let read: { at: number; grants: Promise<Grant[]> } | undefined

  const readAll = async (): Promise<Grant[]> => {
    const stored = Object.entries(await redis.hgetall(keys.grants))
    const grants = stored.flatMap(([id, text]) => parse(id, text, key) ?? [])
    return grants.sort((one, other) => (one.at < other.at ? -1 : 1))
  }

  return overRedis({
    /** All of them, the oldest first, as they were a second ago at the most. */
    async all(): Promise<Grant[]> {
      if (read && performance.now() - read.at < freshMs) return read.grants
      const reading = { at: performance.now(), grants: readAll() }
      read = reading
      reading.grants.catch(() => {
        if (read === reading) read = undefined
      })
      return reading.grants
    },

    /** As they are now. */
    list: readAll,

    async add(grant: Omit<Grant, 'id' | 'at'>): Promise<Grant> {
      const added: Grant = { id: randomUUID(), ...grant, at: new Date().toISOString() }
      await redis.hset(keys.grants, added.id, withMac(`grant:${added.id}`, JSON.stringify(added), key))
      read = undefined
      return added
    },

    /** Throws `grant_not_found`. */
    async get(id: string): Promise<Grant> {
      const text = await redis.hget(keys.grants, id)
      const grant = text === null ? undefined : parse(id, text, key)
      if (!grant) throw notFound(id)
      return grant
    },

    async remove(id: string): Promise<void> {
      await redis.hdel(keys.grants, id)
      read = undefined
    },
  })
}

function parse(id: string, stored: string, key: KeyObject): Grant | undefined {
  const text = withoutMac(`grant:${id}`, stored, key)
  return text === undefined ? undefined : (JSON.parse(text) as Grant)
}

export const notFound = (id: string): DebloxError =>
  new DebloxError('grant_not_found', `id: expected a grant (see GET /v1/grants), got ${id}`)
