import type { Action, Lookups, Routing } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished, type JobRecord, newJobId, type SlotStatus } from '@deblox/fleet/job'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { deal, readyDocks } from '@deblox/fleet/placement'
import { canonicalJson } from './canonical-json'
import { respondAsync } from './prefer'
import type { Caller } from './route'
import type { Waiter } from './wait'

export interface Submitted {
  record: JobRecord
  slots: SlotStatus[]
  /** The caller wants the job's address and nothing else, even where the job has ended already. */
  respondAsync?: boolean
}

export type Submit = (action: Action, request: object, caller: Caller) => Promise<Submitted>

/** Makes the function that turns a validated request into a job, and waits for it as long as the caller wants. */
export function submitTo(fleet: Fleet, waiter: Waiter, replyTo: string): Submit {
  const lookups: Lookups = {
    template: async (name) => ({ ...(await fleet.templates.get(name)).spec }),
  }

  /** The fields as a dock can use them, and the topic of each slot. */
  const address = async (action: Action, request: object): Promise<Pick<JobRecord, 'params' | 'topics'>> => {
    const { params: asked, routing } = action.split(request)
    const resolved = action.resolve ? await action.resolve(asked, lookups) : asked
    const params: Record<string, unknown> = { ...resolved }
    if (action.target !== 'container') return { params, topics: await topicsFor(routing) }
    const { id, dock } = await fleet.index.locate(params['id'] as string, routing.hostname)
    return { params: { ...params, id }, topics: [dockTopic(dock)] }
  }

  const topicsFor = async ({ hostname, instances }: Routing): Promise<string[]> => {
    const count = instances ?? 1
    if (hostname !== undefined) {
      await requireDock(hostname)
      return Array.from({ length: count }, () => dockTopic(hostname))
    }
    if (instances === undefined) return [clusterTopic]
    const ready = readyDocks(await fleet.docks.list())
    // With no dock up the slots wait on the cluster topic for whichever comes.
    if (ready.length === 0) return Array.from({ length: count }, () => clusterTopic)
    return deal(count, ready, await fleet.placements.takeTurn(count)).map(dockTopic)
  }

  const requireDock = async (hostname: string): Promise<void> => {
    if (await fleet.docks.isRegistered(hostname)) return
    throw new DebloxError('dock_not_found', `hostname: expected a registered dock (see GET /v1/docks), got ${hostname}`)
  }

  return async (action, request, { actor, prefer, idempotencyKey, gone }) => {
    const idempotency = idempotencyKey === undefined ? undefined : idempotencyOf(idempotencyKey, action, request)
    // Before anything is looked up: a repeated delete must find its job although its container is gone.
    const earlier = idempotency && (await fleet.jobs.recall(actor, idempotency))
    const isNumbered = 'instances' in request && request.instances !== undefined
    const record: JobRecord = earlier ?? {
      id: newJobId(),
      action: action.name,
      ...(await address(action, request)),
      actor,
      owner: actor,
      replyTo,
      numbered: isNumbered,
      acceptedAt: Date.now(),
    }
    requireModest(record)
    // Who repeats a request must not take the place of the one who still waits for its job.
    const expected = earlier ? undefined : waiter.expect(record.id, record.topics.length)
    try {
      const accepted = await fleet.jobs.accept({ record, ...(idempotency && { idempotency }) })
      const slots =
        expected && !accepted.repeated
          ? await expected.outcome(record, prefer.waitMs, gone)
          : await waiter.follow(accepted.record.id, prefer.waitMs, gone)
      if (!slots.every(isFinished)) await fleet.jobs.keep(accepted.record.id).catch(unlessAway)
      return { record: accepted.record, slots, respondAsync: prefer.applied === respondAsync }
    } finally {
      expected?.forget()
    }
  }
}

/** Each slot carries the fields: what many of them take together must not fill Redis, in characters of JSON. */
const maxSlotsSize = 8 * 2 ** 20

function requireModest({ params, topics }: JobRecord): void {
  const size = JSON.stringify(params).length * topics.length
  if (size <= maxSlotsSize) return
  throw new DebloxError(
    'body_too_large',
    `instances: expected at most ${maxSlotsSize} characters for all of them, got ${topics.length} times ${size / topics.length}`,
  )
}

/** The job is on its topic all the same: a Redis that has gone away while it was waited for makes no failure of that. */
function unlessAway(error: unknown): void {
  if (!(error instanceof DebloxError && error.code === 'redis_unavailable')) throw error
}

const idempotencyOf = (key: string, action: Action, request: object) => ({
  key,
  payload: canonicalJson({ action: action.name, request }),
})
