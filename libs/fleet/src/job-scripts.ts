import { tellJobLua } from './job-telling'
import { script } from './redis'

/**
 * KEYS: idempotency, job, jobs, in flight of the owner, deadlines, events. ARGV: digest of the payload (empty without a key), life
 * of the key, record, its MAC, time of acceptance, id, how many slots, life of the record, when to look at its deadline, what is
 * to be done where a slot fails, by what and what is told of it, then the slots that have ended before and their outcomes. A job
 * that is there stays as it is: after a lost connection the client sends this again by itself, and the job may have ended by then.
 */
export const acceptScript = script(`
  ${tellJobLua({ job: 'KEYS[2]', events: 'KEYS[6]', told: 'ARGV[11]' })}
  if ARGV[1] ~= '' then
    local known = redis.call('HMGET', KEYS[1], 'payload', 'job')
    if known[1] then return known end
    redis.call('HSET', KEYS[1], 'payload', ARGV[1], 'job', ARGV[6])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  if redis.call('EXISTS', KEYS[2]) == 1 then return false end
  local ended = (#ARGV - 12) / 2
  redis.call('HSET', KEYS[2], 'record', ARGV[3], 'mac', ARGV[4], 'slots', ARGV[7], 'finished', ended, 'onFailure', ARGV[10])
  -- What was cut short is gone on with by whoever sends it once more (see cut-short.ts).
  if ARGV[1] ~= '' then redis.call('HSET', KEYS[2], 'keyed', '1') end
  for n = 13, #ARGV, 2 do redis.call('HSET', KEYS[2], 'slot:' .. ARGV[n], ARGV[n + 1]) end
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[6])
  redis.call('ZADD', KEYS[4], ARGV[5], ARGV[6])
  redis.call('PEXPIRE', KEYS[4], ARGV[8])
  redis.call('ZADD', KEYS[5], ARGV[9], ARGV[6])
  for _, told in ipairs(cjson.decode(ARGV[12])) do tellJob(told[1], told[2], told[3], told[4]) end
  redis.call('PEXPIRE', KEYS[6], ARGV[8])
  return false`)

/**
 * KEYS: job, reply stream, jobs, finished jobs, in flight of the owner, deadlines, rollbacks, placement, large result, events, pulls,
 * and the dock's lease where an incarnation is given. ARGV: slot, state, outcome to
 * keep, outcome to tell, job id, life of a finished job, replies kept, life of the stream, action, time of acceptance, finished
 * jobs kept, how the keys of jobs begin, the dock and epoch of the claim under which it ended, if there was one, and
 * '1' if it has made a container, a result too large for the record (or nothing) and its life, by what and what is told of it, and
 * how the keys of events begin, and how those of pulls end, and the incarnation of the worker that had the claim. A claim to nothing is given up, so that what comes to be later is nobody's. Only the first outcome of a slot counts, so that a slot ends in exactly one way.
 * Finished jobs beyond the number or age go, a few each time.
 */
export const finishScript = script(`
  ${tellJobLua({ job: 'KEYS[1]', events: 'KEYS[10]', told: 'ARGV[18]' })}
  local slots = redis.call('HGET', KEYS[1], 'slots')
  if not slots then return 0 end
  if ARGV[13] ~= '' then
    local claim = redis.call('HMGET', KEYS[8], 'hostname', 'epoch')
    if claim[1] ~= ARGV[13] or claim[2] ~= ARGV[14] then return -1 end
    -- The worker that came after this one has the claim with the dock, and may be about to make the container once more.
    local holder = ARGV[22] ~= '' and redis.call('GET', KEYS[12])
    if holder and holder ~= ARGV[22] then return -1 end
  end
  if redis.call('HSETNX', KEYS[1], 'slot:' .. ARGV[1], ARGV[3]) == 0 then return 0 end
  if ARGV[15] ~= '1' and redis.call('EXISTS', KEYS[8]) == 1 then redis.call('HSET', KEYS[8], 'hostname', '') end
  if ARGV[2] ~= 'completed' and redis.call('HGET', KEYS[1], 'onFailure') == 'rollback' then
    redis.call('SADD', KEYS[7], ARGV[5])
  end
  local rank = { failed = 3, expired = 2, cancelled = 1, completed = 0 }
  local worst = redis.call('HGET', KEYS[1], 'worst') or 'completed'
  if rank[ARGV[2]] > (rank[worst] or 0) then
    worst = ARGV[2]
    redis.call('HSET', KEYS[1], 'worst', worst)
  end
  -- A pull that went on until now goes no further.
  local pull = redis.pcall('HGET', KEYS[11], ARGV[1])
  if type(pull) == 'string' then
    redis.call('HDEL', KEYS[11], ARGV[1])
    local dock, data = string.match(pull, '^%d+ %d+ %d+ pull %d+ (%S+) (.*)$')
    if dock then tellJob('pull', ARGV[1], dock, data, true) end
  end
  local tolds = cjson.decode(ARGV[19])
  for _, told in ipairs(tolds) do
    -- With a job of one slot all is told when the job is said to have ended.
    tellJob(told[1], told[2], told[3], told[4], told[1] == 'docker' or slots == '1')
  end
  if redis.call('HINCRBY', KEYS[1], 'finished', 1) >= tonumber(slots) then
    local final = slots == '1' and tolds[#tolds]
    tellJob(worst, '', final and final[3] or '', final and final[4] or '{"slots":' .. slots .. '}')
    redis.call('PEXPIRE', KEYS[10], ARGV[6])
    local time = redis.call('TIME')
    local now = time[1] * 1000
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
    redis.call('ZREM', KEYS[5], ARGV[5])
    redis.call('ZREM', KEYS[6], ARGV[5])
    redis.call('ZADD', KEYS[4], now, ARGV[5])
    local over = redis.call('ZCARD', KEYS[4]) - ARGV[11]
    local aged = redis.call('ZCOUNT', KEYS[4], '-inf', now - ARGV[6])
    local last = math.min(math.max(over, aged), 10) - 1
    if last >= 0 then
      for _, id in ipairs(redis.call('ZRANGE', KEYS[4], 0, last)) do
        redis.call('DEL', ARGV[12] .. id, ARGV[20] .. id, ARGV[20] .. id .. ARGV[21])
        redis.call('ZREM', KEYS[3], id)
        redis.call('ZREM', KEYS[4], id)
      end
    end
  end
  if ARGV[16] ~= '' then redis.call('SET', KEYS[9], ARGV[16], 'PX', ARGV[17]) end
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*',
    'job', ARGV[5], 'action', ARGV[9], 'accepted', ARGV[10], 'outcome', ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
  return 1`)

/**
 * KEYS: job, events. ARGV: slot, how many starts are counted here, by what it is told, the dock. Tells its outcome, whether it is cancelled, how often it was begun
 * before, and whether this start was counted: it is not where the slot is not to be begun, or has that many.
 */
export const beginScript = script(`
  ${tellJobLua({ job: 'KEYS[1]', events: 'KEYS[2]', told: 'ARGV[3]' })}
  local known = redis.call('HMGET', KEYS[1], 'slot:' .. ARGV[1], 'cancel', 'starts:' .. ARGV[1])
  local starts = tonumber(known[3] or '0')
  local counts = not known[1] and not known[2] and starts < tonumber(ARGV[2])
  if counts and redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HINCRBY', KEYS[1], 'starts:' .. ARGV[1], 1)
    tellJob('started', ARGV[1], ARGV[4], '{"attempt":' .. starts + 1 .. '}')
  else
    counts = false
  end
  return { known[1], known[2], starts, counts }`)

/**
 * KEYS: job, events. ARGV: slot, 1 or -1, by what it is told, the dock, why it waits where it is taken back. Nothing is made where
 * nothing was, so that every record has an end.
 */
export const countStartScript = script(`
  ${tellJobLua({ job: 'KEYS[1]', events: 'KEYS[2]', told: 'ARGV[3]' })}
  if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end
  local starts = redis.call('HINCRBY', KEYS[1], 'starts:' .. ARGV[1], ARGV[2])
  if ARGV[2] == '1' then
    tellJob('started', ARGV[1], ARGV[4], '{"attempt":' .. starts .. '}')
  else
    tellJob('waiting', ARGV[1], ARGV[4], ARGV[5])
  end
  return 1`)

/** KEYS: job. ARGV: field, value. Sets a field that nobody has set, and tells what it is. Nothing is made where nothing was. */
export const noteScript = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
  return redis.call('HGET', KEYS[1], ARGV[1])`)

/**
 * KEYS: job, events. ARGV: slot, by what it is told, the dock that it goes to, why. How often the slot was handed on, this time
 * included. It is told here, before anybody can begin it there.
 */
export const handOnScript = script(`
  ${tellJobLua({ job: 'KEYS[1]', events: 'KEYS[2]', told: 'ARGV[2]' })}
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  tellJob('waiting', ARGV[1], ARGV[3], ARGV[4])
  return redis.call('HINCRBY', KEYS[1], 'hops:' .. ARGV[1], 1)`)

/** KEYS: job. ARGV: slot, topic, hop. The latest hop counts. */
export const handedOnScript = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  if tonumber(redis.call('HGET', KEYS[1], 'hop:' .. ARGV[1]) or '0') > tonumber(ARGV[3]) then return 0 end
  redis.call('HSET', KEYS[1], 'topic:' .. ARGV[1], ARGV[2], 'hop:' .. ARGV[1], ARGV[3])
  return 1`)
