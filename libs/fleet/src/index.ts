import { DebloxError } from '@deblox/actions/errors'
import { fullId } from '@deblox/actions/schemas'
import { settleScript, writeScript } from './index-scripts'
import type { FleetKeys } from './names'
import {
  identityOf,
  type IndexedObjects,
  type IndexedRow,
  type ObjectKind,
  type Place,
  readRow,
  rowText,
} from './objects'
import { placesArguments, placesIn } from './places'
import { overRedis, type RedisClient, redisErrorCode, runScript } from './redis'

export type { IndexedRow, Place }

/** What is listed as a whole whenever one of its kind changes. */
export type ListedKind = Exclude<ObjectKind, 'container'>

export type FleetIndex = ReturnType<typeof fleetIndexOf>

/** Ambiguous look-ups tell so many candidates at the most. */
const maxCandidates = 20

const isBeginOfId = /^[0-9a-f]{4,64}$/

/** Which container is where: a cache of what the docks' engines say, kept by their workers. */
export function fleetIndexOf(redis: RedisClient, keys: FleetKeys) {
  const places = placesIn(keys)
  const rowsKey = (kind: ObjectKind, hostname: string): string =>
    keys[({ container: 'containers', image: 'images', volume: 'volumes', network: 'networks' } as const)[kind]](
      hostname,
    )

  return overRedis({
    /** Writes and removes rows of one dock; false where the dock is not registered. `full`: they settle its whole list. */
    async write(hostname: string, rows: IndexedRow[], gone: string[], full = false): Promise<boolean> {
      const used = [keys.docks, keys.dock(hostname), keys.containers(hostname)]
      const where = [keys.changes, ...placesArguments(keys)]
      const written = [hostname, full ? '1' : '0', ...where, rows.length, ...textsOf('container', rows), ...gone]
      return (await runScript(redis, writeScript, used, written)) === 1
    },

    /**
     * Writes all images, volumes or networks of one dock; false where the dock is not registered. What is not among them is
     * removed, unless they are not `complete`.
     */
    async settle<Kind extends ListedKind>(
      kind: Kind,
      hostname: string,
      rows: IndexedObjects[Kind][],
      complete = true,
    ): Promise<boolean> {
      const used = [keys.docks, keys.dock(hostname), rowsKey(kind, hostname)]
      const written = [hostname, complete ? '1' : '0', keys.changes, kind, ...textsOf(kind, rows)]
      return (await runScript(redis, settleScript, used, written)) === 1
    },

    /** The images, volumes or networks of one dock, in no order. */
    async objects<Kind extends ObjectKind>(kind: Kind, hostname: string): Promise<IndexedObjects[Kind][]> {
      return rowsIn(kind, await hashOr({}, redis.hgetall(rowsKey(kind, hostname))), hostname)
    },

    /** How many containers an owner has in the fleet. */
    countOf: (owner: string): Promise<number> => redis.hlen(places.ofOwner(owner)),

    /** The rows of all containers of an owner, in no order. */
    async rowsOwnedBy(owner: string): Promise<IndexedRow[]> {
      return rowsAt(linesOf(await redis.hgetall(places.ofOwner(owner))).map(({ id, line }) => ({ id, dock: line })))
    },

    /** The rows of one dock, in no order. */
    async rows(hostname: string): Promise<IndexedRow[]> {
      return rowsIn('container', await hashOr({}, redis.hgetall(keys.containers(hostname))), hostname)
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
        return rowsIn('container', rows as Record<string, string>, hostnames[n] ?? '')
      })
    },

    /**
     * Finds the one container that is meant by a full id, a prefix of 4 or more hex digits, or a name; on one dock
     * where that is named. Where `mayKnow` says no, it is as if that container were not there, to the same reply in the
     * same number of round trips. Throws `container_not_found` or `ambiguous_container` with the candidates.
     */
    async locate(reference: string, hostname?: string, mayKnow?: (row: IndexedRow) => boolean): Promise<IndexedRow> {
      const [byId, byName] = await Promise.all([
        isBeginOfId.test(reference) ? redis.hgetall(places.ofIds(reference)) : {},
        fullId.test(reference) ? {} : redis.hgetall(places.ofName(reference)),
      ])
      const meant = new Map(
        [
          ...linesOf(byId)
            .filter(({ id }) => id.startsWith(reference))
            .map(({ id, line }) => ({ id, dock: line })),
          ...linesOf(byName)
            .filter(({ line }) => line.startsWith(`${reference} `))
            .map(({ id, line }) => ({ id, dock: line.slice(reference.length + 1) })),
        ]
          .filter(({ dock }) => hostname === undefined || dock === hostname)
          .map((place) => [`${place.id} ${place.dock}`, place]),
      )
      // On one dock all that match are looked through, and of those that somebody may not know: they must not keep his own from
      // being found.
      const most = hostname === undefined && mayKnow === undefined ? maxCandidates : Infinity
      const rows = await rowsAt([...meant.values()].slice(0, most))
      const [found, ...others] = rows.filter((row) => mayKnow?.(row) ?? true)
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
      return json === null ? [] : (readRow('container', json as string, places[n] as Place) ?? [])
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

const rowsIn = <Kind extends ObjectKind>(kind: Kind, rows: Record<string, string>, dock: string) =>
  Object.entries(rows).flatMap(([id, json]) => readRow(kind, json, { id, dock }) ?? [])

/** Ids and rows in turn, as the scripts want them. */
const textsOf = <Kind extends ObjectKind>(kind: Kind, rows: IndexedObjects[Kind][]): string[] =>
  rows.flatMap((row) => [String((row as unknown as Record<string, unknown>)[identityOf[kind]]), rowText(kind, row)])

const linesOf = (held: Record<string, string>): { id: string; line: string }[] =>
  Object.entries(held).flatMap(([id, lines]) => lines.split('\n').map((line) => ({ id, line })))

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
  const text = (row: IndexedRow) => rowText('container', { ...row, observedAt: '' })
  return one !== undefined && text(one) === text(other)
}
