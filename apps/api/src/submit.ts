import type { Action, Lookups, Routing } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { preview } from '@deblox/actions/explain'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished, type JobRecord, newJobId, type SlotStatus } from '@deblox/fleet/job'
import { clusterTopic, dockTopic, times } from '@deblox/fleet/names'
import { deal, readyDocks } from '@deblox/fleet/placement'
import type { Admission } from './admission'
import { canonicalJson } from './canonical-json'
import { respondAsync } from './prefer'
import type { Caller } from './route'
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
  waiter: Waiter
  admission: Admission
  /** The stream on which this replica is told how jobs end. */
  replyTo: string
}

/** Makes the function that turns a validated request into a job, and waits for it as long as the caller wants. */
export function submitTo({ fleet, waiter, admission, replyTo }: Desk): Submit {
  const lookups: Lookups = {
    template: async (name) => ({ ...(await fleet.templates.get(name)).spec }),
  }

  /** The fields as a dock can use them, and the topic of each slot. */
  const address = async (
    action: Action,
    request: object,
  ): Promise<Pick<JobRecord, 'params' | 'topics' | 'dealt' | 'onFailure'>> => {
    const { params: asked, routing } = action.split(request)
    const resolved = action.resolve ? await action.resolve(asked, lookups) : asked
    const params: Record<string, unknown> = { ...resolved }
    if (action.target !== 'container') {
      const { onFailure } = routing
      return { params, ...(await topicsFor(routing)), ...(onFailure && { onFailure }) }
    }
    const { id, dock } = await fleet.index.locate(params['id'] as string, routing.hostname)
    return { params: { ...params, id }, topics: [dockTopic(dock)] }
  }

  const topicsFor = async ({ hostname, instances }: Routing): Promise<Pick<JobRecord, 'topics' | 'dealt'>> => {
    const count = instances ?? 1
    if (hostname !== undefined) {
      await requireDock(hostname)
      return { topics: Array.from({ length: count }, () => dockTopic(hostname)) }
    }
    if (instances === undefined) return { topics: [clusterTopic] }
    const ready = readyDocks(await fleet.docks.list())
    // With no dock up the slots wait on the cluster topic for whichever comes.
    if (ready.length === 0) return { topics: Array.from({ length: count }, () => clusterTopic) }
    return { topics: deal(count, ready, await fleet.placements.takeTurn(count)).map(dockTopic), dealt: true }
  }

  const requireDock = async (hostname: string): Promise<void> => {
    if (await fleet.docks.isRegistered(hostname)) return
    throw new DebloxError('dock_not_found', `hostname: expected a registered dock (see GET /v1/docks), got ${hostname}`)
  }

  /** Why it waits, where it does; it was accepted, whatever can be found out about that now. */
  const explained = async (record: JobRecord, slots: SlotStatus[]): Promise<SlotStatus[]> => {
    if (slots.every(isFinished)) return slots
    const places = record.topics.map((topic) => ({ topic, id: '' }))
    const found = await withStandstill(fleet, [{ record, slots, places }]).catch(unlessAway)
    return found?.[0]?.slots ?? slots
  }

  const admit = async ({ owner, topics, params }: JobRecord): Promise<void> => {
    const size = JSON.stringify(params).length
    requireModest(size, topics.length)
    await admission.job({ owner, topics, size })
  }

  return async (action, request, { actor, prefer, idempotencyKey, gone }) => {
    const idempotency = idempotencyKey === undefined ? undefined : idempotencyOf(idempotencyKey, action, request)
    // Before anything is looked up: a repeated delete must find its job although its container is gone.
    const earlier = idempotency && (await fleet.jobs.recall(actor, idempotency))
    const now = fleet.clock.now()
    const record: JobRecord = earlier ?? {
      id: newJobId(now),
      action: action.name,
      ...(await address(action, request)),
      actor,
      owner: actor,
      replyTo,
      numbered: 'instances' in request && request.instances !== undefined,
      acceptedAt: now,
      expiresAt: deadlineOf(action, request, now),
    }
    if (!earlier) await admit(record)
    // Who repeats a request must not take the place of the one who still waits for its job.
    const expected = earlier ? undefined : waiter.expect(record.id, record.topics.length)
    try {
      const accepted = await fleet.jobs.accept({ record, ...(idempotency && { idempotency }) })
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
