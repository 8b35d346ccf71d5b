import type { FleetKeys } from './names'
import { type IndexedObjects, type ObjectKind, type Place, readRow } from './objects'
import { overRedis, redisErrorCode, type RedisClient, runScript, script } from './redis'

/** The kinds of what is kept of a dock's engine, in the order in which they are read. */
export const objectKinds = ['container', 'image', 'volume', 'network'] as const satisfies readonly ObjectKind[]

/** All rows of one dock, by kind. */
export type DockRows = { [Kind in ObjectKind]: IndexedObjects[Kind][] }

/** One row where it stands now: undefined where there is none, or none that can be read. */
export type RowAt = {
  [Kind in ObjectKind]: { kind: Kind; place: Place; row: IndexedObjects[Kind] | undefined }
}[ObjectKind]

/** What is looked at of a dock again and again. */
export interface DockGlance {
  hostname: string
  /** How long its lease lasts if nobody renews it, in milliseconds; 0 or less where nobody has it. */
  leaseMs: number
  /** When its engine's were last listed in full, in milliseconds since 1970; null if never. */
  listedMs: Record<ObjectKind, number | null>
}

/** The fields of a dock's hash that say when what of its engine was listed in full, in the order of the kinds. */
const listedFields = objectKinds.map((kind) => (kind === 'container' ? 'listed' : `listed:${kind}`))

/** KEYS: docks. ARGV: how the keys of leases begin, and those of docks, and those fields. In one step, or a thousand docks were two thousand commands. */
const glanceScript = script(`
  local found = {}
  for _, hostname in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local listed = redis.pcall('HMGET', ARGV[2] .. hostname, unpack(ARGV, 3))
    found[#found + 1] = hostname
    found[#found + 1] = redis.call('PTTL', ARGV[1] .. hostname)
    found[#found + 1] = listed.err and {} or listed
  end
  return found`)

/**
 * What the stream of changes begins with where there is none, so that there is always a last entry. It is no change.
 * KEYS: changes. Gives the id of the last entry.
 */
const beginScript = script(`
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  return last and last[1] or redis.call('XADD', KEYS[1], '*', 'k', 'begin')`)

/** An entry of a stream as ioredis gives it. */
export type StreamEntry = [id: string, pairs: string[]]

/** Of what a copy of the fleet's state is made, and how it is known that it is a true one. */
export function stateReadsOf(redis: RedisClient, keys: FleetKeys) {
  const hashOf = { container: keys.containers, image: keys.images, volume: keys.volumes, network: keys.networks }
  const { changes } = keys

  return overRedis({
    /** The id of the last entry of the stream of changes, which is begun where it is not there. */
    async begin(): Promise<string> {
      return (await runScript(redis, beginScript, [changes], [])) as string
    },

    /** The id of the last entry, or null where there is none. */
    async tail(): Promise<string | null> {
      return (await redis.xrevrange(changes, '+', '-', 'COUNT', 1))[0]?.[0] ?? null
    },

    /** Whether that entry is still in the stream: then none is missing of those that came after it. */
    async has(id: string): Promise<boolean> {
      return (await redis.xrange(changes, id, id, 'COUNT', 1)).length > 0
    },

    /** So many entries as there are after that one, the first ones first. */
    async after(id: string, count: number): Promise<StreamEntry[]> {
      return redis.xrange(changes, `(${id}`, '+', 'COUNT', count)
    },

    /** The registered docks, in no order. */
    async glance(): Promise<DockGlance[]> {
      const args = [keys.lease(''), keys.dock(''), ...listedFields]
      const found = (await runScript(redis, glanceScript, [keys.docks], args)) as unknown[]
      return Array.from({ length: found.length / 3 }, (_, n) => {
        const [hostname, leaseMs, listed] = found.slice(3 * n, 3 * n + 3) as [string, number, (string | null)[]]
        const times = objectKinds.map((kind, k) => [kind, listed[k] ? Number(listed[k]) : null])
        return { hostname, leaseMs, listedMs: Object.fromEntries(times) as DockGlance['listedMs'] }
      })
    },

    /** How many of these docks are leased at this moment. */
    async countLeased(hostnames: readonly string[]): Promise<number> {
      return hostnames.length === 0 ? 0 : redis.exists(...hostnames.map(keys.lease))
    },

    /** Which of these are registered. */
    async registered(hostnames: readonly string[]): Promise<boolean[]> {
      if (hostnames.length === 0) return []
      return (await redis.smismember(keys.docks, ...hostnames)).map((is) => is === 1)
    },

    /** All rows of these docks, in their order. */
    async rowsOf(hostnames: readonly string[]): Promise<DockRows[]> {
      const reads = redis.pipeline()
      for (const hostname of hostnames) for (const kind of objectKinds) reads.hgetall(hashOf[kind](hostname))
      const replies = (await reads.exec()) ?? []
      const rowsIn = <Kind extends ObjectKind>(kind: Kind, dock: string, n: number): IndexedObjects[Kind][] => {
        const stored = valueOf(replies[n], {}) as Record<string, string>
        return Object.entries(stored).flatMap(([id, json]) => readRow(kind, json, { id, dock }) ?? [])
      }
      return hostnames.map((dock, d) => ({
        container: rowsIn('container', dock, 4 * d),
        image: rowsIn('image', dock, 4 * d + 1),
        volume: rowsIn('volume', dock, 4 * d + 2),
        network: rowsIn('network', dock, 4 * d + 3),
      }))
    },

    /** What stands at these places now. */
    async rowsAt(places: readonly { kind: ObjectKind; place: Place }[]): Promise<RowAt[]> {
      if (places.length === 0) return []
      const reads = redis.pipeline()
      for (const { kind, place } of places) reads.hget(hashOf[kind](place.dock), place.id)
      const replies = (await reads.exec()) ?? []
      return places.map(({ kind, place }, n) => {
        const json = valueOf(replies[n], null) as string | null
        return { kind, place, row: json === null ? undefined : readRow(kind, json, place) } as RowAt
      })
    },
  })
}

export type StateReads = ReturnType<typeof stateReadsOf>

/** What a dock's own Redis user has put in the place of its rows must not keep the others from being seen. */
function valueOf(reply: [error: Error | null, value: unknown] | undefined, none: unknown): unknown {
  const [error, value] = reply ?? [new Error('expected a reply of Redis, got none')]
  if (redisErrorCode(error) === 'WRONGTYPE') return none
  if (error) throw error
  return value
}
