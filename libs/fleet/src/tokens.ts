import type { KeyObject } from 'node:crypto'
import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import { withMac, withoutMac } from './maced'
import { type FleetKeys, times } from './names'
import { overRedis, type RedisClient, runScript, script } from './redis'
import { isSecretOf, newToken, parseToken } from './token-text'

/** A token as it may be shown: neither its secret nor what its secret is checked by. Times are ISO 8601. */
export interface TokenView extends Identity {
  id: string
  /** The subject who made it. */
  createdBy: string
  createdAt: string
  expiresAt: string
  /** To the minute; null where it has not been used yet. */
  lastUsedAt: string | null
  revokedAt: string | null
}

/** What is kept of a token, all of it under the code of the API's key. */
interface TokenRecord extends Omit<TokenView, 'lastUsedAt'> {
  /** SHA-256 of the secret: with 256 random bits there is nothing to guess, and so nothing to slow down. */
  hash: string
}

export interface NewToken extends Identity {
  createdBy: string
  /** Milliseconds. */
  lifeMs: number
}

export interface TokenOptions {
  /** Told the id of a record that the API has not written. */
  onForged?: (id: string) => void
  /** Milliseconds since 1970. */
  now?: () => number
}

export type Tokens = ReturnType<typeof tokensOf>

/** How many tokens there may be in the fleet, and of one subject that are not revoked or expired. */
export const tokenCounts = { fleet: 10_000, subject: 100 } as const

/**
 * KEYS: records, uses. ARGV: id, now, how old the last use must be to be written anew. Answers the last use that is written:
 * at most once a minute for each token, however many replicas it is used on.
 */
const useScript = script(`
  local last = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0) or 0
  if ARGV[2] - last < tonumber(ARGV[3]) or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return tostring(last) end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  return ARGV[2]`)

/** KEYS: records. ARGV: id, the record as it was read, the record as it shall be. What has changed since then stays. */
const replaceScript = script(`
  if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  return 1`)

/**
 * API tokens. The first of the keys signs records, all of them are believed. What anybody else has written into Redis is as
 * good as not there.
 */
export function tokensOf(
  redis: RedisClient,
  keys: FleetKeys,
  macKeys: readonly [KeyObject, ...KeyObject[]],
  { onForged = () => {}, now = Date.now }: TokenOptions = {},
) {
  /** When tokens were last used, as far as this process knows: it asks Redis only where that was a minute ago. */
  const lastUses = new Map<string, number>()

  const write = (record: TokenRecord): string => withMac(macName(record.id), JSON.stringify(record), macKeys[0])

  function read(id: string, stored: string): TokenRecord | undefined {
    for (const key of macKeys) {
      const text = withoutMac(macName(id), stored, key)
      if (text !== undefined) return JSON.parse(text) as TokenRecord
    }
    onForged(id)
    return undefined
  }

  async function find(id: string): Promise<{ record: TokenRecord; stored: string } | undefined> {
    const stored = await redis.hget(keys.tokens, id)
    const record = stored === null ? undefined : read(id, stored)
    return record && stored !== null ? { record, stored } : undefined
  }

  async function readAll(): Promise<TokenRecord[]> {
    const records = Object.entries(await redis.hgetall(keys.tokens)).flatMap(([id, stored]) => read(id, stored) ?? [])
    return records.sort((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1))
  }

  /** Nobody waits for it: that a use could not be written refuses nobody. */
  async function noteUse(id: string): Promise<void> {
    const at = now()
    if (at - (lastUses.get(id) ?? 0) < times.tokenUse) return
    if (lastUses.size >= tokenCounts.fleet) lastUses.clear()
    // Before Redis has answered, so that of many requests at once one asks.
    lastUses.set(id, at)
    const written = await runScript(redis, useScript, [keys.tokens, keys.tokenUses], [id, at, times.tokenUse]).catch(
      () => at,
    )
    lastUses.set(id, Number(written))
  }

  async function sweep(records: TokenRecord[]): Promise<void> {
    const old = records.filter(({ expiresAt }) => Date.parse(expiresAt) + times.expiredToken < now())
    if (old.length === 0) return
    const ids = old.map(({ id }) => id)
    await redis.hdel(keys.tokens, ...ids)
    await redis.hdel(keys.tokenUses, ...ids)
  }

  const isLive = ({ revokedAt, expiresAt }: TokenRecord): boolean => revokedAt === null && Date.parse(expiresAt) > now()

  const functions = {
    /**
     * Makes a token; its text is told this once. `announce` hears of it before it counts, for one that must not be lost.
     * Throws `quota_exceeded` where there are too many.
     */
    async create(
      { lifeMs, ...wanted }: NewToken,
      announce: (token: string) => void = () => {},
    ): Promise<{ token: string; view: TokenView }> {
      const all = await readAll()
      await sweep(all)
      requireRoom(all.length, all.filter((record) => record.subject === wanted.subject && isLive(record)).length)
      const { token, id, hash } = newToken()
      const at = now()
      const createdAt = new Date(at).toISOString()
      const expiresAt = new Date(at + lifeMs).toISOString()
      const record: TokenRecord = { id, ...wanted, createdAt, expiresAt, revokedAt: null, hash }
      announce(token)
      await redis.hset(keys.tokens, id, write(record))
      return { token, view: viewOf(record, null) }
    },

    /**
     * Who comes with a token, or undefined where it is none, is revoked or has expired. It asks Redis every time: a token
     * that is revoked on one replica ends on all of them at once.
     */
    async verify(token: string): Promise<{ id: string; identity: Identity } | undefined> {
      const parsed = parseToken(token)
      if (!parsed) return undefined
      const found = await find(parsed.id)
      const isRight = isSecretOf(parsed, found?.record.hash)
      if (!found || !isRight || !isLive(found.record)) return undefined
      void noteUse(parsed.id)
      const { subject, teams, role, scopes } = found.record
      return { id: parsed.id, identity: { subject, teams, role, ...(scopes && { scopes }) } }
    },

    /** All that the API has made, the oldest first; those that expired long ago are gone. */
    async list(): Promise<TokenView[]> {
      const [records, uses] = await Promise.all([readAll(), redis.hgetall(keys.tokenUses)])
      return records.map((record) => viewOf(record, uses[record.id] ?? null))
    },

    /** Throws `token_not_found`. */
    async get(id: string): Promise<TokenView> {
      const [found, lastUse] = await Promise.all([find(id), redis.hget(keys.tokenUses, id)])
      if (!found) throw noSuchToken(id)
      return viewOf(found.record, lastUse)
    },

    /** It counts no more from now on, on every replica; it stays listed. Throws `token_not_found`. */
    async revoke(id: string): Promise<void> {
      for (;;) {
        const found = await find(id)
        if (!found) throw noSuchToken(id)
        if (found.record.revokedAt !== null) return
        const revoked = write({ ...found.record, revokedAt: new Date(now()).toISOString() })
        if ((await runScript(redis, replaceScript, [keys.tokens], [id, found.stored, revoked])) === 1) return
      }
    },

    /**
     * The first token of a fleet that has none: an admin's, told to `announce`. Of replicas that start together one makes
     * it; undefined for the others, and where there is any token of the API's own, revoked ones too.
     */
    async createFirst(announce: (token: string) => void, lifeMs: number): Promise<TokenView | undefined> {
      if ((await readAll()).length > 0) return undefined
      const isMine = await redis.set(keys.firstToken, '1', 'PX', times.firstToken, 'NX')
      // Another replica may have made it between the two.
      if (isMine === null || (await readAll()).length > 0) return undefined
      const wanted = { subject: 'admin', teams: [], role: 'admin', createdBy: 'first-start', lifeMs } as const
      return (await functions.create(wanted, announce)).view
    },
  }
  return overRedis(functions)
}

/** Tokens are listed by their age. */
const orderOf = ({ createdAt, id }: TokenRecord): string => `${createdAt} ${id}`

const macName = (id: string): string => `token:${id}`

/** Field by field: what a record holds besides is shown to nobody. */
function viewOf(record: TokenRecord, lastUse: string | null): TokenView {
  const { id, subject, teams, role, scopes, createdBy, createdAt, expiresAt, revokedAt } = record
  return {
    id,
    subject,
    teams,
    role,
    ...(scopes && { scopes }),
    createdBy,
    createdAt,
    expiresAt,
    lastUsedAt: isoTime(lastUse),
    revokedAt,
  }
}

/** Null for what is no time: anybody who can write to Redis could have put it there. */
function isoTime(ms: string | null): string | null {
  return ms !== null && /^\d{1,15}$/.test(ms) ? new Date(Number(ms)).toISOString() : null
}

function requireRoom(inFleet: number, ofSubject: number): void {
  const [most, count, whose] =
    inFleet >= tokenCounts.fleet
      ? [tokenCounts.fleet, inFleet, 'in the fleet']
      : [tokenCounts.subject, ofSubject, 'of the subject that have not ended']
  if (count < most) return
  throw new DebloxError('quota_exceeded', `tokens: expected fewer than ${most} ${whose}, got ${count}; revoke some`)
}

export const noSuchToken = (id: string): DebloxError =>
  new DebloxError('token_not_found', `id: expected a token (see GET /v1/tokens), got ${id}`)
