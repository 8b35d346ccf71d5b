import { findAction } from '@deblox/actions/registry'
import { digest } from './digest'
import type { JobRecord, SlotOutcome } from './job'
import { acceptScript } from './job-scripts'
import { type Reason, toldBy, toldOfAcceptance } from './job-telling'
import { type FleetKeys, times } from './names'
import type { Records } from './records'
import type { RedisClient } from './redis'

/**
 * Gives what writes a job down, and tells that it was accepted, unless its key has one already: then it answers that one's payload
 * digest and id. The script goes by its text (see `accept`).
 */
export const writeWith =
  (redis: RedisClient, keys: FleetKeys, records: Records) =>
  async (record: JobRecord, payload: string, key: string, ended: SlotOutcome[]): Promise<[string, string] | null> => {
    const { text, mac } = records.keep(record)
    const { id, acceptedAt } = record
    const args = [
      payload,
      times.idempotency,
      text,
      mac,
      acceptedAt,
      id,
      record.topics.length,
      times.job,
      record.expiresAt ?? acceptedAt + times.deadline.change,
      record.onFailure ?? 'keep',
      toldBy(keys, { ...record, jobId: id }),
      JSON.stringify(toldOfAcceptance(record, ended, reasonOf(record))),
      ...ended.flatMap((outcome) => [outcome.slot, JSON.stringify(outcome)]),
    ]
    const inflight = keys.inflight(digest(record.actor))
    const used = [key, keys.job(id), keys.jobs, inflight, keys.deadlines, keys.jobEvents(id)]
    return (await redis.eval(acceptScript.lua, used.length, ...used, ...args)) as [string, string] | null
  }

/** Why the job goes to its dock, where that is known when it is accepted: a create is placed when its dock has claimed it. */
function reasonOf({ action }: JobRecord): Reason | null {
  const { target, creates } = findAction(action) ?? {}
  if (target === 'container') return { reason: 'container', why: 'it is the dock of the container' }
  return target === 'dock' && !creates ? { reason: 'named', why: 'the job names this dock' } : null
}
