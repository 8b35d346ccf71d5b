import { randomBytes, type KeyObject } from 'node:crypto'
import type { Identity } from '@deblox/actions/access/identity'
import { digest } from './digest'
import { withMac, withoutMac } from './maced'
import { type FleetKeys, times } from './names'
import { overRedis, type RedisClient } from './redis'

interface SessionRecord {
  identity: Identity
  /** Milliseconds since 1970. */
  expiresAt: number
}

export interface SessionOptions {
  /** Told the digest of a record that the API has not written. */
  onForged?: (digest: string) => void
  /** Milliseconds since 1970. */
  now?: () => number
}

export type Sessions = ReturnType<typeof sessionsOf>

/** What a browser keeps: 256 random bits as base64url. */
const form = /^[A-Za-z0-9_-]{43}$/

/**
 * Logins with a browser. Redis has nothing that a browser could come with: the key is the digest of that. The first of the
 * MAC keys signs records, all of them are believed.
 */
export function sessionsOf(
  redis: RedisClient,
  keys: FleetKeys,
  macKeys: readonly [KeyObject, ...KeyObject[]],
  { onForged = () => {}, now = Date.now }: SessionOptions = {},
) {
  return overRedis({
    /** Begins a session; what it returns is for the browser alone. */
    async begin(identity: Identity): Promise<string> {
      const id = randomBytes(32).toString('base64url')
      const record: SessionRecord = { identity, expiresAt: now() + times.session }
      const sealed = withMac(macName(id), JSON.stringify(record), macKeys[0])
      await redis.set(keys.session(digest(id)), sealed, 'PX', times.session)
      return id
    },

    /** Who has logged in there, or undefined where nobody has, or has logged out, or too long ago. */
    async verify(id: string): Promise<Identity | undefined> {
      if (!form.test(id)) return undefined
      const stored = await redis.get(keys.session(digest(id)))
      if (stored === null) return undefined
      for (const key of macKeys) {
        const text = withoutMac(macName(id), stored, key)
        if (text === undefined) continue
        const { identity, expiresAt } = JSON.parse(text) as SessionRecord
        return expiresAt > now() ? identity : undefined
      }
      onForged(digest(id))
      return undefined
    },

    /** Ends it on every replica; one that is not there has ended. */
    async end(id: string): Promise<void> {
      if (form.test(id)) await redis.del(keys.session(digest(id)))
    },
  })
}

const macName = (id: string): string => `session:${digest(id)}`
