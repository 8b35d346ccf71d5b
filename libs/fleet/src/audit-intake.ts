import type { Decision } from './audit-chain'
import type { FleetKeys } from './names'
import { overRedis, type RedisClient } from './redis'

/** What a worker refused to do. */
export interface Refusal {
  /** When, ISO 8601, by the worker's clock. */
  at: string
  /** The dock's host name. */
  dock: string
  jobId: string | null
  /** The code under which the job failed, e.g. `bad_signature`. */
  what: string
  reason: string
}

/** Whoever can write to Redis can write here, as much as he likes: more than this is not kept, and nothing longer. */
const keptAtMost = 10_000
const longest = 300

/** So many are taken into the chain at a time. */
const atOnce = 500

/** What is taken from the intake: the refusal, and the id by which it is removed when it is in the chain. */
export interface TakenIn {
  id: string
  refusal: Refusal
}

/** Where workers tell what they refused. They cannot write to the chain: that takes the API's key. */
export function auditIntakeOf(redis: RedisClient, keys: FleetKeys) {
  return overRedis({
    /** For workers. */
    async refuse({ at, dock, jobId, what, reason }: Refusal): Promise<void> {
      const fields = { at, dock, jobId: jobId ?? '', what, reason: reason.slice(0, longest) }
      await redis.xadd(keys.auditIntake, 'MAXLEN', '~', keptAtMost, '*', ...Object.entries(fields).flat())
    },

    /** The oldest ones. */
    async waiting(): Promise<TakenIn[]> {
      const found = await redis.xrange(keys.auditIntake, '-', '+', 'COUNT', atOnce)
      return found.map(([id, fields]) => ({ id, refusal: refusalFrom(fields) }))
    },

    async remove(ids: readonly string[]): Promise<void> {
      if (ids.length > 0) await redis.xdel(keys.auditIntake, ...ids)
    },
  })
}

/** As the chain keeps it. Its dock, its job and its time are the worker's word, which is what `via` says. */
export const decisionOf = ({ dock, jobId, what, reason }: Refusal): Decision => ({
  who: null,
  via: 'worker',
  role: null,
  permission: 'job',
  object: null,
  dock,
  job: jobId,
  address: null,
  requestId: null,
  decision: 'deny',
  status: null,
  code: what,
  reason,
})

function refusalFrom(fields: string[]): Refusal {
  const values = new Map<string, string>()
  for (let n = 0; n + 1 < fields.length; n += 2) values.set(fields[n] ?? '', (fields[n + 1] ?? '').slice(0, longest))
  const text = (name: string): string => values.get(name) ?? ''
  return {
    at: isTime(text('at')) ? text('at') : new Date().toISOString(),
    dock: text('dock'),
    jobId: text('jobId') || null,
    what: text('what'),
    reason: text('reason'),
  }
}

const isTime = (text: string): boolean => /^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z$/.test(text)
