import type { Identity } from '@deblox/actions/access/identity'
import type { Permission } from '@deblox/actions/access/policies'
import type { Action, Routing } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { preview } from '@deblox/actions/explain'
import type { Allowances } from '@deblox/fleet/allowances'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished, type JobRecord, newJobId, type SlotStatus } from '@deblox/fleet/job'
import { times } from '@deblox/fleet/names'
import type { Quotas } from '@deblox/fleet/quota'
import { type Access, requireUse } from './access'
import { addressOn } from './address'
import type { Admission } from './admission'
import { canonicalJson } from './canonical-json'
import { respondAsync } from './prefer'
import type { Caller } from './route'
import { boundOf } from './rules'
import { withStandstill } from './standstill'
import type { Waiter } from './wait'

export interface Submitted {
  record: JobRecord
  slots: SlotStatus[]
  /** The caller wants the job's address and nothing else, even where the job has ended already. */
  respondAsync?: boolean
}

export type Submit = (action: Action, request: object, caller: Caller) => Promise<Submitted>

/** What a replica has to turn requests into jobs with. */
export interface Desk {
  fleet: Fleet
  access: Access
  allowances: Pick<Allowances, 'of'>
  quotas: Quotas
  waiter: Waiter
  admission: Admission
  /** The stream on which this replica is told how jobs end. */
  replyTo: string
}

/** Makes the function that turns a validated request into a job, and waits for it as long as the caller wants. */
export function submitTo({ fleet, access, allowances, quotas, waiter, admission, replyTo }: Desk): Submit {
  const address = addressOn(fleet, access, allowances)

  /** Why it waits, where it does; it was accepted, whatever can be found out about that now. */
  const explained = async (record: JobRecord, slots: SlotStatus[]): Promise<SlotStatus[]> => {
    if (slots.every(isFinished)) return slots
    const places = record.topics.map((topic) => ({ topic, id: '' }))
    const found = await withStandstill(fleet, [{ record, slots, places }]).catch(unlessAway)
    return found?.[0]?.slots ?? slots
  }

  /** The job that a key stands for already, if its caller may still have what it did told. */
  const recalled = async (
    action: Action,
    idempotency: ReturnType<typeof idempotencyOf>,
    identity: Identity,
  ): Promise<JobRecord | null> => {
    // The registry has seen to it that there is such an entry.
    const permission = action.name as Permission
    if (action.target !== 'container') requireUse(identity, permission)
    const earlier = await fleet.jobs.recall(identity.subject, idempotency)
    if (earlier && action.target === 'container') {
      await access.still(identity, permission, earlier.params['id'] as string)
    }
    return earlier
  }

  /** A new job, for which there is room. */
  const newJob = async (action: Action, request: object, caller: Caller): Promise<JobRecord> => {
    const { identity } = caller
    const now = fleet.clock.now()
    const { takes, ...addressed } = await address(action, request, caller)
    const record = await fleet.secrets.sealed({
      id: newJobId(now),
      action: action.name,
      ...addressed,
      actor: identity.subject,
      identity,
      replyTo,
      numbered: 'instances' in request && request.instances !== undefined,
      acceptedAt: now,
      expiresAt: deadlineOf(action, request, now),
    })
    const { id: jobId, topics, params } = record
    const size = JSON.stringify(params).length
    requireModest(size, topics.length)
    const { actor } = record
    await admission.job({ actor, topics, size, ...(await boundOf(allowances, identity)) })
    if (takes?.quota)
      await quotas.reserve(takes.quota, { owner: takes.owner, jobId, slots: topics.length, ...takes.size })
    return record
  }

  return async (action, request, caller) => {
    const { identity, prefer, idempotencyKey, gone, about } = caller
    const idempotency = idempotencyKey === undefined ? undefined : idempotencyOf(idempotencyKey, action, request)
    // Before anything is looked up: a repeated delete must find its job although its container is gone.
    const earlier = idempotency && (await recalled(action, idempotency, identity))
    const record = earlier ?? (await newJob(action, request, caller))
    about.job = record.id
    // Who repeats a request must not take the place of the one who still waits for its job.
    const expected = earlier ? undefined : waiter.expect(record.id, record.topics.length)
    try {
      const accepted = await fleet.jobs.accept({ record, ...(idempotency && { idempotency }) })
      if (action.leaves && !earlier) await fleet.secrets.forget(record.params['hostname'] as string)
      const slots =
        expected && !accepted.repeated
          ? await expected.outcome(record, prefer.waitMs, gone)
          : await waiter.follow(accepted.record.id, prefer.waitMs, gone)
      return {
        record: accepted.record,
        slots: await explained(accepted.record, slots),
        respondAsync: prefer.applied === respondAsync,
      }
    } finally {
      expected?.forget()
    }
  }
}

/** Each slot carries the fields: what many of them take together must not fill Redis, in characters of JSON. */
const maxSlotsSize = 8 * 2 ** 20

function requireModest(size: number, slots: number): void {
  if (size * slots <= maxSlotsSize) return
  throw new DebloxError(
    'body_too_large',
    `instances: expected at most ${maxSlotsSize} characters for all of them, got ${slots} times ${size}`,
  )
}

function unlessAway(error: unknown): undefined {
  if (!(error instanceof DebloxError && error.code === 'redis_unavailable')) throw error
}

/** When the job may not be begun any more: what the caller says, but no later than is kept for any job of its kind. */
function deadlineOf({ effect }: Action, request: object, now: number): number {
  const latest = now + (effect === 'read' ? times.deadline.read : times.deadline.change)
  const { expiresAt } = request as Routing
  if (expiresAt === undefined) return latest
  const asked = Date.parse(expiresAt)
  if (asked > now) return Math.min(asked, latest)
  throw new DebloxError(
    'invalid_request',
    `expiresAt: expected a time that is still to come, got ${preview(expiresAt)}`,
  )
}

const idempotencyOf = (key: string, action: Action, request: object) => ({
  key,
  payload: canonicalJson({ action: action.name, request }),
})
