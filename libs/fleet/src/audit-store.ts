import type { KeyObject } from 'node:crypto'
import { type AuditLine, beginning, chain, type Checkpoint, isSigned, signCheckpoint, verifyAudit } from './audit-chain'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient, runScript, script } from './redis'

/** The last entry of the chain: its hash, and its id in the stream (`0-0` where there is none). */
export interface Head {
  hash: string
  id: string
}

export interface Appended {
  head: Head
  /** How many entries there are now. */
  length: number
  /** Entries that were known to be there have gone from the end of the chain: Redis has lost data, or somebody removed them. */
  lost: boolean
}

export interface AuditPage {
  lines: AuditLine[]
  /** The id of the last line; null where no more follow. */
  nextCursor: string | null
}

/** Between two ids of the stream: `<ms>`, or `<ms>-<n>`; `(` before one leaves it out. */
export interface AuditRange {
  from?: string
  to?: string
  limit: number
}

/** Of a chain that is too long so many entries go at a time. */
const trimmedAtOnce = 1_000

/** An entry has the fields `entry` and `hash`. Sets `head` and `id`. KEYS: audit, checkpoint. */
const headLua = `
  local function hashOf(found) return found[2][4] or '' end
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local head = last and hashOf(last) or redis.call('HGET', KEYS[2], 'hash') or ''
  local id = last and last[1] or '0-0'`

const headScript = script(`${headLua}
  return { head, id }`)

/**
 * KEYS: audit, checkpoint. ARGV: the head that the entries follow and its id, then each entry and its hash. Answers 1
 * (appended), 2 (they had been, and the answer was lost), 0 (others have appended: try again after this head) or -1 (so too,
 * and the head that was known is not there any more); and the head, its id, and how many there are.
 */
const appendScript = script(`${headLua}
  if head ~= ARGV[1] or id ~= ARGV[2] then
    local after = redis.call('XRANGE', KEYS[1], '(' .. ARGV[2], '+', 'COUNT', 1)[1]
    if after and hashOf(after) == ARGV[4] then return { 2, head, id, redis.call('XLEN', KEYS[1]) } end
    local known = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
    local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    local isTrimmed = first and redis.call('HGET', KEYS[2], 'hash') and #redis.call('XRANGE', KEYS[1], '-', ARGV[2], 'COUNT', 1) == 0
    local isThere = ARGV[2] == '0-0' or isTrimmed or (known and hashOf(known) == ARGV[1])
    return { isThere and 0 or -1, head, id, 0 }
  end
  for n = 3, #ARGV, 2 do id = redis.call('XADD', KEYS[1], '*', 'entry', ARGV[n], 'hash', ARGV[n + 1]) end
  return { 1, ARGV[#ARGV], id, redis.call('XLEN', KEYS[1]) }`)

/** KEYS: audit, checkpoint. ARGV: the hash of the checkpoint that was read, the new one, its count and MAC, the first id to keep. */
const trimScript = script(`
  if (redis.call('HGET', KEYS[2], 'hash') or '') ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[2], 'hash', ARGV[2], 'count', ARGV[3], 'mac', ARGV[4])
  return redis.call('XTRIM', KEYS[1], 'MINID', ARGV[5])`)

export type AuditStore = ReturnType<typeof auditStoreOf>

/** The chain in Redis. The first of the keys writes, all verify. */
export function auditStoreOf(redis: RedisClient, keys: FleetKeys, macKeys: readonly [KeyObject, ...KeyObject[]]) {
  const [macKey] = macKeys
  const used = [keys.audit, keys.auditCheckpoint]

  const checkpoint = async (): Promise<Checkpoint & { mac: string }> => {
    const [hash, count, mac] = await redis.hmget(keys.auditCheckpoint, 'hash', 'count', 'mac')
    return { hash: hash ?? beginning, count: Number(count ?? 0), mac: mac ?? '' }
  }

  /** The hash that the entry at the beginning of a range follows. */
  const before = async (from: string): Promise<string> => {
    const end = from.startsWith('(') ? from.slice(1) : from === '-' ? undefined : `(${from}`
    const [last] = end === undefined ? [] : await redis.xrevrange(keys.audit, end, '-', 'COUNT', 1)
    return last ? hashOf(last) : (await checkpoint()).hash
  }

  const read = async ({ from = '-', to = '+', limit }: AuditRange) => {
    const [prev, found] = await Promise.all([before(from), redis.xrange(keys.audit, from, to, 'COUNT', limit + 1)])
    return { lines: linesOf(found.slice(0, limit), prev), ids: found.map(([id]) => id) }
  }

  return overRedis({
    async head(): Promise<Head> {
      const [hash, id] = (await runScript(redis, headScript, used, [])) as [string, string]
      return { hash, id }
    },

    /** Appends entries, after whatever others have appended since `head`. Safe to repeat with the same head. */
    async append(texts: readonly string[], head: Head): Promise<Appended> {
      let lost = false
      for (let after = head; ;) {
        const links = chain(macKey, after.hash, texts).flatMap(({ text, hash }) => [text, hash])
        const reply = await runScript(redis, appendScript, used, [after.hash, after.id, ...links])
        const [done, hash, id, length] = reply as [number, string, string, number]
        after = { hash, id }
        lost ||= done === -1
        if (done > 0) return { head: after, length, lost }
      }
    },

    /** Where the chain begins, and whether that is signed by this fleet's API. */
    async start(): Promise<Checkpoint & { signed: boolean }> {
      const { hash, count, mac } = await checkpoint()
      return { hash, count, signed: hash === beginning || isSigned(macKeys, { hash, count }, mac) }
    },

    /** Entries in their order, each with the hash of the one before it. */
    async page(range: AuditRange): Promise<AuditPage> {
      const { lines, ids } = await read(range)
      return { lines, nextCursor: ids.length > range.limit ? (ids[range.limit - 1] ?? null) : null }
    },

    /**
     * Removes the first entries of a chain that is too long, and signs where the rest begins. Answers how many were removed,
     * and whether the chain was whole there.
     */
    async trim(): Promise<{ removed: number; whole: boolean }> {
      const { hash, count, mac } = await checkpoint()
      const { lines, ids } = await read({ limit: trimmedAtOnce })
      const [last, next] = [lines.at(-1), ids[lines.length]]
      if (!last || next === undefined) return { removed: 0, whole: true }
      const signed = hash === beginning || isSigned(macKeys, { hash, count }, mac)
      const { ok } = await verifyAudit(lines, macKeys, hash)
      const now = { hash: last.hash, count: count + lines.length }
      const args = [hash, now.hash, now.count, signCheckpoint(macKey, now), next]
      return { removed: Number(await runScript(redis, trimScript, used, args)), whole: ok && signed }
    },
  })
}

type Found = [id: string, fields: string[]]

const hashOf = ([, fields]: Found): string => fields[3] ?? ''

function linesOf(found: Found[], before: string): AuditLine[] {
  let prev = before
  return found.map((one) => {
    const line = { text: one[1][1] ?? '', prev, hash: hashOf(one) }
    prev = line.hash
    return line
  })
}
