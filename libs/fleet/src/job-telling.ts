import { tellLua } from './changes'
import type { JobPayload, JobRecord, SlotOutcome } from './job'
import { counts, dockOfTopic, type FleetKeys } from './names'

/** What a job goes through. Those of `TerminalState` are told of each slot, and of the job as a whole. */
export const jobEventKinds = [
  'accepted',
  'placed',
  'waiting',
  'started',
  'retrying',
  'pull',
  'docker',
  'completed',
  'failed',
  'expired',
  'cancelled',
] as const

export type JobEventKind = (typeof jobEventKinds)[number]

/** Why a slot is where it is: for programs, and for people. */
export interface Reason {
  reason: 'container' | 'named' | 'sealed' | 'dealt' | 'free' | 'taken-over'
  why: string
}

/** What is told with a state change, in the order of its telling: what happened, to which slot ('' for all), where, and more. */
export type Told = [event: JobEventKind, slot: number | '', dock: string, data: string]

/** The Lua expressions of what `tellJob` needs. */
interface Names {
  /** The keys of the job and of its events. */
  job: string
  events: string
  /** What `toldBy` gives, or '' to tell nothing. */
  told: string
}

/** A job of many slots has more to tell: so many events more are kept for each. */
const keptPerSlot = 10

/**
 * Defines `tellJob(event, slot, dock, data, quietly)`, which adds to what is told of a job, and unless `quietly` to the stream of
 * changes, and `entryOf(counter, event, slot, dock, data)`, which is how it stands there (see job-events.ts). What cannot be told
 * must not undo what was done: it stands in Redis's own log, and nothing else comes of it. Nothing is made where nothing was, so
 * that all that is told has an end. Whoever can write to Redis can tell anything: it misleads those who read it, and nobody
 * acts upon it.
 */
export const tellJobLua = ({ job, events, told }: Names): string => `
  local telling = ${told} ~= '' and cjson.decode(${told})
  ${tellLua('telling.changes')}
  local function wasTold(reply)
    if type(reply) ~= 'table' or not reply.err then return true end
    redis.log(redis.LOG_WARNING, 'an event of job ' .. telling.job .. ' could not be told: ' .. reply.err)
    return false
  end
  local function entryOf(counter, event, slot, dock, data)
    if not wasTold(redis.pcall('HINCRBY', ${job}, counter, 1)) then return end
    local counted = redis.call('HMGET', ${job}, 'told', 'pulls')
    local time = redis.call('TIME')
    local at = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
    local place = (slot == '' and '-' or slot) .. ' ' .. (dock == '' and '-' or dock)
    return (counted[1] or '0') .. ' ' .. (counted[2] or '0') .. ' ' .. at .. ' ' .. event .. ' ' .. place .. ' ' .. data
  end
  local function tellJob(event, slot, dock, data, quietly)
    local slots = telling and redis.call('HGET', ${job}, 'slots')
    if not slots then return end
    local entry = entryOf('told', event, slot, dock, data)
    local kept = ${counts.jobEvents} + ${keptPerSlot} * (tonumber(slots) or 0)
    local count = entry and redis.pcall(event == 'accepted' and 'RPUSH' or 'RPUSHX', ${events}, entry)
    if entry and wasTold(count) and count > kept then redis.pcall('LTRIM', ${events}, -kept, -1) end
    if not quietly then
      local about = telling.about .. ',"slot":' .. (slot == '' and 'null' or slot) .. ',"data":' .. data .. '}'
      tell('job', event, dock, telling.job, about)
    end
  end`

type About = Pick<JobPayload, 'jobId' | 'action' | 'actor' | 'owner'>

/** What a script is given to tell of a job; by its action, actor and owner it is judged who may hear of it. */
export const toldBy = (keys: FleetKeys, { jobId, action, actor, owner }: About): string =>
  JSON.stringify({
    changes: keys.changes,
    job: jobId,
    // Its end is put to it in the script.
    about: JSON.stringify({ action, actor, owner }).slice(0, -1),
  })

/** What is told when a job is accepted: with `reason`, where its only slot goes to a dock that will not change. */
export function toldOfAcceptance(record: JobRecord, ended: readonly SlotOutcome[], reason: Reason | null): Told[] {
  const { action, topics, retryOf } = record
  const endedBefore = ended.map(({ slot }) => slot)
  const data = { action, slots: topics.length, ...(retryOf !== undefined && { retryOf, endedBefore }) }
  const accepted: Told = ['accepted', '', '', JSON.stringify(data)]
  const dock = topics.length === 1 ? dockOfTopic(topics[0] ?? '') : null
  if (!reason || dock === null) return [accepted]
  return [accepted, ['placed', 1, dock, JSON.stringify(reason)]]
}

/** Docker's words may be long: so many characters of them are told. */
const maxMessage = 2_000

export const cut = (message: string): string =>
  message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message

/** What is told when a slot ends: the daemon's answer, where it gave one, and how the slot ended. */
export function toldOfEnd({ slot, state, dock, attempts, result, error }: SlotOutcome): Told[] {
  const where = dock ?? ''
  const status = result?.envelope.statusCode ?? (error?.code === 'docker_error' ? error.status : undefined)
  const message = error && cut(error.message)
  const data = {
    attempts,
    ...(result?.container && { container: result.container }),
    ...(error && { error: { code: error.code, status: error.status, message } }),
  }
  const ended: Told = [state, slot, where, JSON.stringify(data)]
  if (status === undefined) return [ended]
  return [['docker', slot, where, JSON.stringify({ status, ...(error && { message }) })], ended]
}
