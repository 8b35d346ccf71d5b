import { tellLua } from './changes'
import { placesLua } from './places'
import { script } from './redis'

/** KEYS: …, containers of the dock (the last). ARGV: hostname, what `placesArguments` gives. */
export const forgetDockLua = `
  ${placesLua('ARGV[2]', 'ARGV[3]', 'ARGV[4]')}
  local containers = KEYS[#KEYS]
  local isHash = redis.call('TYPE', containers).ok == 'hash'
  local rows = isHash and redis.call('HGETALL', containers) or {}
  for n = 1, #rows, 2 do list(rows[n], rows[n + 1], nil, ARGV[1]) end
  return redis.call('DEL', containers)`

/**
 * What of a row is worth telling: not when it was seen, nor of Docker's sentence how long a container has been so, which is
 * another one each minute. Both come last in a row's text, and no label, name or image can be taken for them: a quote
 * within a text has a backslash before it, so that what has none up to the end of the row is one of its own fields.
 */
export const saysLua = `
  local function says(json)
    return string.match(json, '^(.*),"observedAt":"[^"]*"}$') or json
  end
  local function saysOfContainer(json)
    local rest = says(json)
    local fields, status = string.match(rest, '^(.*,"status":")([^"]*)"$')
    if not fields then return rest end
    -- Up 3 minutes (healthy); Exited (137) 2 hours ago.
    local how, health = string.match(status, '^(Up )[^()]*(.*)$')
    how = how or string.match(status, '^(%a+ %(%-?%d+%) )[^()]*$') or status
    return fields .. how .. (health or '') .. '"'
  end`

/**
 * KEYS: docks, dock, containers. ARGV: hostname, '1' if the rows are the dock's full list, the stream of changes, what `placesArguments`
 * gives, the number of rows, ids and rows in turn, the ids to remove. One script, so that no reader sees a place without its row or
 * a change that is not told, and so that a dock that was unregistered meanwhile does not come back by its rows.
 */
export const writeScript = script(`
  ${tellLua('ARGV[3]')}
  ${saysLua}
  ${placesLua('ARGV[4]', 'ARGV[5]', 'ARGV[6]')}
  local host = ARGV[1]
  if redis.call('SISMEMBER', KEYS[1], host) == 0 then return 0 end
  if redis.call('TYPE', KEYS[3]).ok ~= 'hash' then redis.call('DEL', KEYS[3]) end
  local last = 7 + 2 * ARGV[7]
  for n = 8, last, 2 do
    local id, json = ARGV[n], ARGV[n + 1]
    local before = redis.call('HGET', KEYS[3], id)
    local isNews = not before or saysOfContainer(before) ~= saysOfContainer(json)
    redis.call('HSET', KEYS[3], id, json)
    local row = cjson.decode(json)
    list(id, before, row, host)
    -- Whoever has lost it may not know the new row: to him it is gone.
    if before and ownerOf(rowIn(before)) ~= ownerOf(row) then tell('container', 'gone', host, id, before) end
    if isNews then tell('container', 'set', host, id, json) end
  end
  for n = last + 1, #ARGV do
    local id = ARGV[n]
    local before = redis.call('HGET', KEYS[3], id)
    if before then
      list(id, before, nil, host)
      redis.call('HDEL', KEYS[3], id)
      tell('container', 'gone', host, id, before)
    end
  end
  if ARGV[2] == '1' then
    local now = redis.call('TIME')
    redis.call('HSET', KEYS[2], 'listed', now[1] * 1000 + math.floor(now[2] / 1000))
  end
  return 1`)

/**
 * KEYS: docks, dock, the dock's rows of a kind. ARGV: hostname, '1' if the rows are all that there are, the stream of changes, the kind,
 * ids and rows in turn. What differs is found here, and not by reading the rows first: it costs one round trip.
 */
export const settleScript = script(`
  ${tellLua('ARGV[3]')}
  ${saysLua}
  local host, kind = ARGV[1], ARGV[4]
  if redis.call('SISMEMBER', KEYS[1], host) == 0 then return 0 end
  if redis.call('TYPE', KEYS[3]).ok ~= 'hash' then redis.call('DEL', KEYS[3]) end
  local listed = {}
  for n = 5, #ARGV, 2 do
    local id, json = ARGV[n], ARGV[n + 1]
    local before = redis.call('HGET', KEYS[3], id)
    listed[id] = true
    if not before or says(before) ~= says(json) then
      redis.call('HSET', KEYS[3], id, json)
      tell(kind, 'set', host, id, json)
    end
  end
  if ARGV[2] ~= '1' then return 1 end
  for _, id in ipairs(redis.call('HKEYS', KEYS[3])) do
    if not listed[id] then
      local before = redis.call('HGET', KEYS[3], id)
      redis.call('HDEL', KEYS[3], id)
      tell(kind, 'gone', host, id, before)
    end
  end
  local now = redis.call('TIME')
  redis.call('HSET', KEYS[2], 'listed:' .. kind, now[1] * 1000 + math.floor(now[2] / 1000))
  return 1`)
