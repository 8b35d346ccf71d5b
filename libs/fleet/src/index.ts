import { DebloxError } from '@deblox/actions/errors'
import type { ContainerRow } from '@deblox/actions/container-row'
import { fullId } from '@deblox/actions/schemas'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient, redisErrorCode, runScript, script } from './redis'

/** A row as the index keeps it: with the time when its dock's worker saw it so. */
export interface IndexedRow extends ContainerRow {
  observedAt: string
}

/** Where a container is. */
export interface Place {
  id: string
  dock: string
}

export type FleetIndex = ReturnType<typeof fleetIndexOf>

/** Ambiguous look-ups tell so many candidates at the most. */
const maxCandidates = 20

/**
 * Takes what a stored row stands for out of the sorted sets of ids, names and owners. Other docks' users can write rows, too:
 * one that cannot be read stands for nothing but its id.
 */
const unlistLua = `
  local function owned(row, id, host) return tostring(row.owner) .. '\\0' .. id .. ' ' .. host end
  local function unlist(id, json, host, ids, names, owners)
    redis.call('ZREM', ids, id .. ' ' .. host)
    local readable, row = pcall(cjson.decode, json)
    if not readable or type(row) ~= 'table' then return end
    redis.call('ZREM', names, tostring(row.name) .. ' ' .. id .. ' ' .. host)
    redis.call('ZREM', owners, owned(row, id, host))
  end`

/** KEYS: …, containers of the dock, ids, names, owners (the last four). ARGV[1]: hostname. */
export const forgetDockLua = `
  ${unlistLua}
  local n = #KEYS
  local isHash = redis.call('TYPE', KEYS[n - 3]).ok == 'hash'
  local rows = isHash and redis.call('HGETALL', KEYS[n - 3]) or {}
  for i = 1, #rows, 2 do unlist(rows[i], rows[i + 1], ARGV[1], KEYS[n - 2], KEYS[n - 1], KEYS[n]) end
  return redis.call('DEL', KEYS[n - 3])`

/**
 * KEYS: docks, dock, containers, ids, names, owners. ARGV: hostname, '1' if the rows are the dock's full list, the number of
 * rows, the rows, the ids to remove. One script, so that no reader sees an id without its row, and so that a dock that
 * was unregistered meanwhile does not come back by its rows.
 */
const writeScript = script(`
  ${unlistLua}
  local host = ARGV[1]
  if redis.call('SISMEMBER', KEYS[1], host) == 0 then return 0 end
  if redis.call('TYPE', KEYS[3]).ok ~= 'hash' then redis.call('DEL', KEYS[3]) end
  local function forget(id)
    local json = redis.call('HGET', KEYS[3], id)
    if not json then return end
    unlist(id, json, host, KEYS[4], KEYS[5], KEYS[6])
    redis.call('HDEL', KEYS[3], id)
  end
  local last = 3 + tonumber(ARGV[3])
  for n = 4, last do
    local row = cjson.decode(ARGV[n])
    forget(row.id)
    redis.call('HSET', KEYS[3], row.id, ARGV[n])
    redis.call('ZADD', KEYS[4], 0, row.id .. ' ' .. host)
    redis.call('ZADD', KEYS[5], 0, row.name .. ' ' .. row.id .. ' ' .. host)
    if row.owner ~= cjson.null then redis.call('ZADD', KEYS[6], 0, owned(row, row.id, host)) end
  end
  for n = last + 1, #ARGV do forget(ARGV[n]) end
  if ARGV[2] == '1' then
    local now = redis.call('TIME')
    redis.call('HSET', KEYS[2], 'listed', now[1] * 1000 + math.floor(now[2] / 1000))
  end
  return 1`)

/** Which container is where: a cache of what the docks' engines say, kept by their workers. */
export function fleetIndexOf(redis: RedisClient, keys: FleetKeys) {
  // On one dock all that match are looked through: other docks may have very many of that name.
  const startingWith = (key: string, start: string, most: number): Promise<string[]> =>
    redis.zrange(key, `[${start}`, `(${start}\xff`, 'BYLEX', 'LIMIT', 0, most)

  return overRedis({
    /** Writes and removes rows of one dock; false where the dock is not registered. `full`: they settle its whole list. */
    async write(hostname: string, rows: IndexedRow[], gone: string[], full = false): Promise<boolean> {
      const { docks, ids, names, owned } = keys
      const used = [docks, keys.dock(hostname), keys.containers(hostname), ids, names, owned]
      const changes = [hostname, full ? '1' : '0', rows.length, ...rows.map((row) => JSON.stringify(row)), ...gone]
      return (await runScript(redis, writeScript, used, changes)) === 1
    },

    /** How many containers an owner has in the fleet. */
    countOf: (owner: string): Promise<number> => redis.zlexcount(keys.owned, `[${owner}\0`, `(${owner}\x01`),

    /** The rows of all containers of an owner, in no order. */
    async rowsOwnedBy(owner: string): Promise<IndexedRow[]> {
      const members = await redis.zrange(keys.owned, `[${owner}\0`, `(${owner}\x01`, 'BYLEX')
      const places = members.map((member) => member.slice(owner.length + 1).split(' '))
      return rowsAt(places.map(([id = '', dock = '']) => ({ id, dock })))
    },

    /** The rows of one dock, in no order. */
    async rows(hostname: string): Promise<IndexedRow[]> {
      return rowsIn(await hashOr({}, redis.hgetall(keys.containers(hostname))), hostname)
    },

    /** The ids under which one dock has a row, also one that cannot be read and is in no list. */
    idsOf: (hostname: string): Promise<string[]> => hashOr([], redis.hkeys(keys.containers(hostname))),

    /** The rows of several docks, in one round trip, in the docks' order. */
    async rowsOf(hostnames: string[]): Promise<IndexedRow[][]> {
      const reads = redis.pipeline()
      for (const hostname of hostnames) reads.hgetall(keys.containers(hostname))
      const replies = (await reads.exec()) ?? []
      return replies.map(([error, rows], n) => {
        if (isNoHash(error)) return []
        if (error) throw error
        return rowsIn(rows as Record<string, string>, hostnames[n] ?? '')
      })
    },

    /**
     * Finds the one container that is meant by a full id, a prefix of 4 or more hex digits, or a name; on one dock
     * where that is named. Where `mayKnow` says no, it is as if that container were not there, to the same reply in the
     * same number of round trips. Throws `container_not_found` or `ambiguous_container` with the candidates.
     */
    async locate(reference: string, hostname?: string, mayKnow?: (row: IndexedRow) => boolean): Promise<IndexedRow> {
      // Of those that somebody may not know all are looked through: they must not keep his own from being found.
      const most = hostname === undefined && mayKnow === undefined ? maxCandidates : -1
      const [byId, byName] = await Promise.all([
        /^[0-9a-f]{4,64}$/.test(reference) ? startingWith(keys.ids, reference, most) : [],
        fullId.test(reference) ? [] : startingWith(keys.names, `${reference} `, most),
      ])
      const places = new Map(
        [...byId.map((member) => member.split(' ')), ...byName.map((member) => member.split(' ').slice(1))]
          .map(([id = '', dock = '']) => ({ id, dock }))
          .filter(({ dock }) => hostname === undefined || dock === hostname)
          .map((place) => [`${place.id} ${place.dock}`, place]),
      )
      const [found, ...others] = (await rowsAt([...places.values()])).filter((row) => mayKnow?.(row) ?? true)
      if (!found) throw notFound(reference, hostname)
      if (others.length > 0) throw ambiguous(reference, [found, ...others].slice(0, maxCandidates))
      return found
    },
  })

  async function rowsAt(places: Place[]): Promise<IndexedRow[]> {
    const reads = redis.pipeline()
    for (const { id, dock } of places) reads.hget(keys.containers(dock), id)
    // One that is not there takes as long as one that is hidden.
    if (places.length === 0) reads.hget(keys.containers(''), '')
    const replies = (await reads.exec()) ?? []
    return replies.flatMap(([error, json], n) => {
      if (isNoHash(error)) return []
      if (error) throw error
      return json === null ? [] : readRow(json as string, places[n] as Place)
    })
  }
}

const isNoHash = (error: unknown): boolean => redisErrorCode(error) === 'WRONGTYPE'

/** What a dock's rows are where something else stands in their place: none, until its worker lists them again. */
const hashOr = <T>(none: T, reading: Promise<T>): Promise<T> =>
  reading.catch((error: unknown) => {
    if (isNoHash(error)) return none
    throw error
  })

const texts = ['name', 'image', 'state', 'status', 'createdAt', 'observedAt'] as const

/**
 * The row that stands at a place, or none where that cannot be read or speaks of another: a dock's Redis user may write what he likes among his
 * own rows, and that must neither stand in anybody's way nor send anything to another dock.
 */
function readRow(json: string, { id, dock }: Place): IndexedRow[] {
  let row: Partial<IndexedRow> | null
  try {
    row = JSON.parse(json) as Partial<IndexedRow> | null
  } catch {
    return []
  }
  if (row?.id !== id || row.dock !== dock) return []
  const { owner, labels } = row
  if (!texts.every((field) => typeof row[field] === 'string')) return []
  if (owner !== null && typeof owner !== 'string') return []
  if (typeof labels !== 'object' || labels === null) return []
  return Object.values(labels).every((label) => typeof label === 'string') ? [row as IndexedRow] : []
}

const rowsIn = (rows: Record<string, string>, dock: string): IndexedRow[] =>
  Object.entries(rows).flatMap(([id, json]) => readRow(json, { id, dock }))

function notFound(reference: string, hostname?: string): DebloxError {
  const where = hostname === undefined ? 'in the fleet' : `on ${hostname}`
  return new DebloxError('container_not_found', `id: expected a container ${where}, got ${reference}`)
}

function ambiguous(reference: string, rows: IndexedRow[]): DebloxError {
  const candidates = rows.map(({ id, name, dock }) => ({ id, name, dock }))
  const list = candidates.map(({ id, name, dock }) => `${name} ${id.slice(0, 12)} on ${dock}`).join(', ')
  return new DebloxError('ambiguous_container', `id: expected one container, got ${reference}, which may be ${list}`, {
    details: { candidates },
  })
}

/** What must be written and removed so that the index, which has rows under these ids, says what a full list said. */
export function difference(
  indexed: IndexedRow[],
  listed: IndexedRow[],
  ids = indexed.map(({ id }) => id),
): { changed: IndexedRow[]; gone: string[] } {
  const before = new Map(indexed.map((row) => [row.id, row]))
  const now = new Set(listed.map(({ id }) => id))
  return {
    changed: listed.filter((row) => !sameRow(before.get(row.id), row)),
    gone: ids.filter((id) => !now.has(id)),
  }
}

function sameRow(one: IndexedRow | undefined, other: IndexedRow): boolean {
  return (
    one !== undefined && JSON.stringify({ ...one, observedAt: '' }) === JSON.stringify({ ...other, observedAt: '' })
  )
}
