import { type Dock, dockFrom } from './dock-rows'
import { redisTimeLua } from './lua'
import { counts, type FleetKeys } from './names'
import { type IndexedObjects, type ObjectKind, parsed, readRow } from './objects'
import { type RedisClient, runScript, script } from './redis'

/** What entries of the stream of changes tell of, by the name of its kind: the rows that they hold. */
export interface ChangedRows extends IndexedObjects {
  dock: Dock
  /** What is told of a job (see job-events.ts). */
  job: Record<string, unknown>
}

export type ChangeKind = keyof ChangedRows

interface ChangeOf<Kind extends ChangeKind> {
  /** The entry's id in the stream, `<milliseconds>-<number>`: later ones are greater. */
  id: string
  /** When it was told, by Redis's clock, in ISO 8601. */
  at: string
  kind: Kind
  /** `set`: the object is there, and as the row says. `gone`: it was as the row says. Of a job: what happened to it. */
  op: Kind extends 'job' ? string : 'set' | 'gone'
  /** The dock's host name; empty where it is no dock's. */
  dock: string
  /** The id of a container, image, network or job, the name of a volume, the host name of a dock. */
  object: string
  /**
   * Null where it cannot be read, or was too long for the stream: the dock's own rows have it then, unless it is gone. Its dock
   * and its id are those of the change.
   */
  row: ChangedRows[Kind] | null
}

/** One entry of the stream of changes. */
export type Change = { [Kind in ChangeKind]: ChangeOf<Kind> }[ChangeKind]

/** A longer row is told of without being told, in bytes: the stream is capped by the number of its entries alone. */
const maxRowBytes = 16_384

/**
 * Defines `tell(kind, op, dock, id, row)`, which adds an entry to the stream of changes; the row is JSON, or '' for none. `key` is
 * the Lua expression of the stream's name, such as `ARGV[2]`: a docks' Redis user may do nothing there but add, and
 * EVALSHA asks for more of all that is named in KEYS. What cannot be told must not undo what was done: a dock could
 * spoil the stream for all others until it is mended.
 */
export const tellLua = (key: string): string => `
  local function tell(kind, op, dock, id, row)
    if #row > ${maxRowBytes} then row = '' end
    redis.pcall('XADD', ${key}, 'MAXLEN', '~', ${counts.changes}, '*', 'k', kind, 'o', op, 'd', dock, 'i', id, 'r', row)
  end`

/** Of what is known of a dock, what is worth telling: not when it was last heard of. */
const toldOfDock = ['labels', 'drain', 'engine', 'daemon', 'incarnation', 'leased']

/**
 * Defines `tell`, and `changing(hostname, key, change)`, which does a change to a dock's hash and tells it where there is anything
 * to tell. The entry's row is the hash, without what secrets are sealed to.
 */
export const tellDockLua = (key: string): string => `
  ${tellLua(key)}
  local function toldOf(dock)
    local told = redis.call('HMGET', dock, ${toldOfDock.map((field) => `'${field}'`).join(', ')})
    for n = 1, #told do told[n] = tostring(told[n]) end
    return table.concat(told, '\\0')
  end
  local function changing(hostname, dock, change)
    local before = toldOf(dock)
    change()
    if toldOf(dock) == before then return end
    local fields, row = redis.call('HGETALL', dock), {}
    for n = 1, #fields, 2 do row[fields[n]] = fields[n + 1] end
    row.seal = nil
    tell('dock', 'set', hostname, hostname, cjson.encode(row))
  end`

const rowReaders: { [Kind in ChangeKind]: (json: string, id: string, dock: string) => ChangedRows[Kind] | undefined } =
  {
    container: objectReader('container'),
    image: objectReader('image'),
    volume: objectReader('volume'),
    network: objectReader('network'),
    dock: dockIn,
    job: parsed,
  }

/**
 * An entry as ioredis gives it: its id, then names and values in turn. Undefined for what is no change: every dock may write there,
 * and what he likes. That is also why none of it is proof: whoever acts upon a row reads it where it stands.
 */
export function parseChange([id, pairs]: [id: string, pairs: string[]]): Change | undefined {
  const fields = new Map<string, string>()
  for (let n = 0; n + 1 < pairs.length; n += 2) fields.set(pairs[n] as string, pairs[n + 1] as string)
  const [kind, op, dock, object, json] = ['k', 'o', 'd', 'i', 'r'].map((name) => fields.get(name))
  if (kind === undefined || !Object.hasOwn(rowReaders, kind)) return undefined
  if (op === undefined || dock === undefined || object === undefined) return undefined
  if (kind !== 'job' && op !== 'set' && op !== 'gone') return undefined
  if (kind === 'dock' && dock !== object) return undefined
  const row = rowReaders[kind as ChangeKind](json ?? '', object, dock) ?? null
  return { id, at: timeOf(id), kind, op, dock, object, row } as Change
}

/** Which of two ids of the stream is the later one: negative where the second is. */
export function compareChangeIds(one: string, other: string): number {
  const [oneMs = 0, oneNumber = 0] = one.split('-').map(Number)
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number)
  return oneMs - otherMs || oneNumber - otherNumber
}

/** An entry's id that is further ahead of Redis's clock was put there by hand, in milliseconds. */
const maxAheadMs = 60_000

/** KEYS: changes. */
const mendScript = script(`
  ${redisTimeLua}
  local type = redis.call('TYPE', KEYS[1]).ok
  if type == 'none' then return 0 end
  if type == 'stream' then
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for n = 1, #info, 2 do
      if info[n] == 'last-generated-id' and tonumber(string.match(info[n + 1], '^%d+')) < now + ${maxAheadMs} then return 0 end
    end
  end
  return redis.call('DEL', KEYS[1])`)

/**
 * Begins the stream of changes anew where no more can be added to it: a dock's Redis user may add an entry with the greatest id that
 * there is, or put something else in its place. Resolves with whether it had to.
 */
export const mendChanges = async (redis: RedisClient, keys: FleetKeys): Promise<boolean> =>
  (await runScript(redis, mendScript, [keys.changes], [])) === 1

function timeOf(id: string): string {
  const time = new Date(Number(id.split('-', 1)[0]))
  // An id may be any number that its writer likes.
  return new Date(Number.isNaN(time.getTime()) ? 0 : time).toISOString()
}

function objectReader<Kind extends ObjectKind>(kind: Kind) {
  return (json: string, id: string, dock: string) => readRow(kind, json, { id, dock })
}

function dockIn(json: string, hostname: string): Dock | undefined {
  const fields = parsed(json)
  if (fields === undefined || !Object.values(fields).every((value) => typeof value === 'string')) return undefined
  return dockFrom(hostname, fields as Record<string, string>, fields['leased'] === '1')
}
