import { createHash } from 'node:crypto'
import { labelNames } from '@deblox/actions/made'
import type { FleetKeys } from './names'

/**
 * Where containers are, to be found by the beginning of an id, by a name, and by an owner: hashes of container id → lines of text. Ids
 * and names are spread over some thousand small hashes, which Redis packs: in one sorted set each would take twice the memory.
 */
export interface Places {
  /** The hash in which ids of this beginning (of 3 characters at least) are; a line is a host name. */
  ofIds: (start: string) => string
  /** The hash in which a name is, among others; a line is `<name> <hostname>`. */
  ofName: (name: string) => string
  /** The hash of an owner's containers; a line is a host name. */
  ofOwner: (owner: string) => string
}

const bucketDigits = 3

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')

export const placesIn = (keys: FleetKeys): Places => ({
  ofIds: (start) => keys.ids(start.slice(0, bucketDigits)),
  ofName: (name) => keys.names(sha1(name).slice(0, bucketDigits)),
  ofOwner: (owner) => keys.owned(sha1(owner)),
})

/** What `placesLua` is to be given of the keys. */
export const placesArguments = (keys: FleetKeys): string[] => [keys.ids(''), keys.names(''), keys.owned('')]

/**
 * Defines `list(id, before, row, host)`, which has a container found by what its row says, and not by what only the JSON of before says: each may be
 * absent; `rowIn(json)`; and `ownerOf(row)`, nil where he cannot be read. The Lua expressions are those of `placesArguments`: which keys it will be
 * is in the rows, so they cannot be named in KEYS. Other docks' users can write rows, too: one that cannot be read stands
 * for nothing but its id.
 */
export const placesLua = (ids: string, names: string, owners: string): string => `
  local function rowIn(json)
    local readable, row = pcall(cjson.decode, json)
    return readable and type(row) == 'table' and row or {}
  end
  local function ownerOf(row)
    local owner = row.owner
    if owner == nil and type(row.labels) == 'table' then owner = row.labels['${labelNames.owner}'] end
    return type(owner) == 'string' and owner or nil
  end
  local function placesOf(id, row, host)
    local places = { [${ids} .. string.sub(id, 1, ${bucketDigits})] = host }
    if type(row.name) == 'string' then
      places[${names} .. string.sub(redis.sha1hex(row.name), 1, ${bucketDigits})] = row.name .. ' ' .. host
    end
    local owner = ownerOf(row)
    if owner then places[${owners} .. redis.sha1hex(owner)] = host end
    return places
  end
  local function drop(key, id, line)
    local others = {}
    for other in string.gmatch(redis.call('HGET', key, id) or '', '[^\\n]+') do
      if other ~= line then others[#others + 1] = other end
    end
    if #others > 0 then redis.call('HSET', key, id, table.concat(others, '\\n'))
    else redis.call('HDEL', key, id) end
  end
  local function add(key, id, line)
    local lines = redis.call('HGET', key, id)
    if not lines then
      redis.call('HSET', key, id, line)
    elseif not string.find('\\n' .. lines .. '\\n', '\\n' .. line .. '\\n', 1, true) then
      redis.call('HSET', key, id, lines .. '\\n' .. line)
    end
  end
  local function list(id, before, row, host)
    local places = row and placesOf(id, row, host) or {}
    for key, line in pairs(before and placesOf(id, rowIn(before), host) or {}) do
      if places[key] ~= line then drop(key, id, line) end
    end
    for key, line in pairs(places) do add(key, id, line) end
  end`
