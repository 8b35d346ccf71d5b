import { script } from './redis'

/** KEYS: idempotency, job, jobs. ARGV: digest of the payload (empty without a key), its life, record, time, id, how many jobs are kept, how many slots. */
export const acceptScript = script(`
  if ARGV[1] ~= '' then
    local known = redis.call('HMGET', KEYS[1], 'payload', 'job')
    if known[1] then return known end
    redis.call('HSET', KEYS[1], 'payload', ARGV[1], 'job', ARGV[5])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  redis.call('HSET', KEYS[2], 'record', ARGV[3], 'slots', ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5])
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[6])
  return false`)

/**
 * KEYS: job. A record is written with an end, so that one whose acceptance was cut short does not stay for ever. One that
 * somebody was told to come back for has none until the job is finished, which may have happened already.
 */
export const keepScript = script(`
  local slots, finished = unpack(redis.call('HMGET', KEYS[1], 'slots', 'finished'))
  if not slots then return 0 end
  redis.call('HSET', KEYS[1], 'kept', '1')
  if tonumber(finished or '0') < tonumber(slots) then redis.call('PERSIST', KEYS[1]) end
  return 1`)

/**
 * KEYS: job, reply stream. ARGV: slot, outcome to keep, outcome to tell, job id, life of a finished job, replies kept,
 * life of the stream, action, time of acceptance. Only the first outcome of a slot counts, so that a slot ends in exactly one way.
 */
export const finishScript = script(`
  local slots = redis.call('HGET', KEYS[1], 'slots')
  if not slots then return 0 end
  if redis.call('HSETNX', KEYS[1], 'slot:' .. ARGV[1], ARGV[2]) == 0 then return 0 end
  if redis.call('HINCRBY', KEYS[1], 'finished', 1) >= tonumber(slots) then
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
  end
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*',
    'job', ARGV[4], 'action', ARGV[8], 'accepted', ARGV[9], 'outcome', ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
  return 1`)
