import { DebloxError } from '@deblox/actions/errors'
import { digest } from './digest'
import { dockOfTopic, type FleetKeys, times, waitingKeys } from './names'
import { overRedis, type RedisClient, runScript, script } from './redis'

/** How much is taken in. */
interface LimitSettings {
  /** Slots that wait on one topic. */
  queueDepth: number
  /** Jobs that one has asked for, and that have been accepted and have not ended. */
  jobsPerOwner: number
}

/** What somebody asks for. */
interface JobsAsked {
  actor: string
  topics: string[]
  /** How many jobs of his that have not ended he may have. */
  most?: number
}

export type Limits = ReturnType<typeof limitsOf>

/** Who is refused should come back after so long, in seconds. */
const retryAfter = 5

/** How many keys of BullMQ there are for a topic. */
const keysPerTopic = 3

/**
 * KEYS: jobs in flight of the owner, and of each topic its list and two sets of waiting jobs. ARGV: since when jobs in
 * flight count. Answers how many are in flight, then how many wait on each topic.
 */
const loadScript = script(`
  local load = { redis.call('ZCOUNT', KEYS[1], ARGV[1], '+inf') }
  for n = 2, #KEYS, ${keysPerTopic} do
    load[#load + 1] = redis.call('LLEN', KEYS[n]) + redis.call('ZCARD', KEYS[n + 1]) + redis.call('ZCARD', KEYS[n + 2])
  end
  return load`)

/** Bounds what waits, so that neither one owner nor one dead dock fills Redis or keeps all others waiting. */
export function limitsOf(redis: RedisClient, keys: FleetKeys, prefix: string, settings: LimitSettings) {
  return overRedis({
    /**
     * Throws `too_many_jobs` where one more job of whoever asks, with a slot on each of the topics (the same one as often as
     * it has slots there), would be beyond a limit, or beyond `most` of his own. It only looks: of many that ask at the same
     * moment all may pass.
     */
    async check({ actor, topics, most = Infinity }: JobsAsked): Promise<void> {
      const added = new Map<string, number>()
      for (const topic of topics) added.set(topic, (added.get(topic) ?? 0) + 1)
      const used = [keys.inflight(digest(actor)), ...[...added.keys()].flatMap((topic) => waitingKeys(prefix, topic))]
      const since = Date.now() - times.inflight
      const [inFlight = 0, ...depths] = (await runScript(redis, loadScript, used, [since])) as number[]
      const jobs = Math.min(most, settings.jobsPerOwner)
      if (inFlight >= jobs) throw tooManyOfOwner(jobs, inFlight)
      for (const [n, [topic, slots]] of [...added].entries()) {
        const waiting = depths[n] ?? 0
        if (waiting + slots > settings.queueDepth) throw tooDeep(topic, settings.queueDepth, waiting, slots)
      }
    },
  })
}

function tooManyOfOwner(most: number, inFlight: number): DebloxError {
  return new DebloxError(
    'too_many_jobs',
    `jobs: expected fewer than ${most} of yours that have not ended, got ${inFlight}; wait for some to end, or cancel them`,
    { details: { limit: 'jobs-per-owner', most, inFlight, retryAfter } },
  )
}

function tooDeep(topic: string, most: number, waiting: number, slots: number): DebloxError {
  const dock = dockOfTopic(topic)
  const where = dock === null ? 'for any dock' : `for ${dock}`
  const advice = dock === null ? 'see GET /v1/docks' : `see GET /v1/docks/${dock}, or name another dock`
  return new DebloxError(
    'too_many_jobs',
    `jobs: expected at most ${most} to wait ${where}, got ${waiting} and ${slots} more; ` +
      `come back when some have been taken (${advice})`,
    { details: { limit: 'queue-depth', dock, most, waiting, retryAfter } },
  )
}
