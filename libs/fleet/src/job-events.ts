import { compareChangeIds } from './changes'
import type { JobPayload } from './job'
import { type JobEventKind, jobEventKinds, tellJobLua, toldBy } from './job-telling'
import { type FleetKeys, times } from './names'
import { overRedis, type RedisClient, redisErrorCode, runScript, script } from './redis'

/** One thing that a job went through. */
export interface JobEvent {
  /** Its place in what is told of this job, `<number>-<number>`: of what was told before, and of those the tellings of pulls. */
  id: string
  /** When it was told, by Redis's clock, in ISO 8601. */
  at: string
  event: JobEventKind
  /** Null where it is about the job as a whole. */
  slot: number | null
  dock: string | null
  /** What else is told: see docs/lists-and-events.md. */
  data: Record<string, unknown>
}

/** What a worker tells that is no change of the job's state. */
export interface Telling {
  event: 'waiting' | 'retrying' | 'pull'
  dock: string
  data: object
}

/** Of an entry that is longer nothing is told, in characters: whoever wrote it was no worker of ours. */
const maxEntry = 65_536

/**
 * KEYS: job, events, pulls. ARGV: by what it is told, event, slot, dock, data, life of what is told of a pull. Of a slot that has
 * ended nothing more is told. Of a pull that goes on only the latest is kept, or it would leave no room for all else.
 */
const tellScript = script(`
  ${tellJobLua({ job: 'KEYS[1]', events: 'KEYS[2]', told: 'ARGV[1]' })}
  local event, slot, dock, data = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
  if redis.call('HEXISTS', KEYS[1], 'slot:' .. slot) == 1 then return 0 end
  if event ~= 'pull' then
    tellJob(event, slot, dock, data)
    return 1
  end
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  local entry = entryOf('pulls', event, slot, dock, data)
  if entry and wasTold(redis.pcall('HSET', KEYS[3], slot, entry)) then redis.call('PEXPIRE', KEYS[3], ARGV[6]) end
  return 1`)

/** KEYS: events, pulls. ARGV: the number of the last event that is known, how many are wanted. Each has its number in front. */
const readScript = script(`
  local head = redis.call('LINDEX', KEYS[1], 0)
  local first = tonumber(string.match(head or '', '^%d+') or '0')
  local from = math.max(0, ARGV[1] + 1 - first)
  return { redis.call('LRANGE', KEYS[1], from, from + ARGV[2] - 1), redis.call('HVALS', KEYS[2]) }`)

/** What is told of jobs while they go on (see job-telling.ts for what is told by their state's own changes). */
export function jobEventsOf(redis: RedisClient, keys: FleetKeys) {
  return overRedis({
    /** Tells of a slot that has not ended. Where it fails nothing has happened to the job. */
    async tell(payload: JobPayload, { event, dock, data }: Telling): Promise<void> {
      const { jobId, slot } = payload
      const args = [toldBy(keys, payload), event, slot, dock, JSON.stringify(data), times.finishedJob]
      const used = [keys.job(jobId), keys.jobEvents(jobId), keys.jobEvents(pullsOf(jobId))]
      // By its text: sent again because Redis did not know its hash, it would come after what follows on this connection, such as the end.
      await redis.eval(tellScript.lua, used.length, ...used, ...args)
    },

    /** The next events of a job after that one ('' for the first), about so many. What nobody of ours wrote is left out. */
    async events(id: string, after = '', count = 100): Promise<JobEvents> {
      const [number = -1, pulls = -1] = after === '' ? [] : after.split('-').map(Number)
      try {
        const used = [keys.jobEvents(id), keys.jobEvents(pullsOf(id))]
        const found = (await runScript(redis, readScript, used, [number, count])) as [string[], string[]]
        const told = found[0].flatMap((entry) => parseJobEvent(entry) ?? [])
        // What is behind the end of this part comes with the next one.
        const end = found[0].length === count ? told.at(-1)?.id : undefined
        const pulled = found[1].flatMap((entry) => parseJobEvent(entry) ?? []).filter(isAfterPull(pulls, end))
        const events = [...told, ...pulled].sort((one, other) => compareChangeIds(one.id, other.id))
        return { events, last: events.at(-1)?.id ?? after }
      } catch (error) {
        if (redisErrorCode(error) !== 'WRONGTYPE') throw error
        return { events: [], last: after }
      }
    },
  })
}

/** The key of what is told of pulls that go on stands beside that of the job's events. */
export const pullsOf = (id: string): string => `${id}:pulls`

const isAfterPull =
  (pulls: number, end = '') =>
  ({ id }: JobEvent): boolean =>
    Number(id.split('-')[1]) > pulls && (end === '' || compareChangeIds(id, end) < 0)

/** A part of what is told of a job, and where the next part begins. */
export interface JobEvents {
  events: JobEvent[]
  last: string
}

const kinds: ReadonlySet<string> = new Set(jobEventKinds)

/**
 * An entry as it stands in Redis: its number and that of pulls, when, what, slot or `-`, dock or `-`, and what else as JSON.
 * Undefined for what is no event: every dock may write there, and what he likes.
 */
export function parseJobEvent(entry: string): JobEvent | undefined {
  if (entry.length > maxEntry) return undefined
  const [, number = '', pulls = '', ms = '', event = '', slot = '', dock = '', text = ''] = entryForm.exec(entry) ?? []
  const data = kinds.has(event) ? parseObject(text) : undefined
  if (!data) return undefined
  const at = new Date(Number(ms)).toISOString()
  return {
    id: `${number}-${pulls}`,
    at,
    event: event as JobEventKind,
    slot: slot === '-' ? null : Number(slot),
    dock: dock === '-' ? null : dock,
    data,
  }
}

/** No time of more than fourteen digits is one. */
const entryForm = /^(\d{1,15}) (\d{1,15}) (\d{1,14}) ([a-z]+) (\d{1,4}|-) ([\w.-]{1,253}) (\{[^]*\})$/

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
