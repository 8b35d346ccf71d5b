import { crashPoint } from '@deblox/actions/crash-point'
import type { Action, ActionResult } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import { findAction } from '@deblox/actions/registry'
import { fullId } from '@deblox/actions/schemas'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobPayload } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import type { SlotReturn } from '@deblox/fleet/topics'
import type Docker from 'dockerode'
import { withDeadline } from '@deblox/actions/deadline'
import { envelopeOf } from '@deblox/fleet/envelope'
import { classify, outcomeUnknown } from './failure'
import type { Gate } from './gate'
import { place } from './place'

export interface RunContext {
  hostname: string
  docker: Docker
  fleet: Fleet
  /** Open while the daemon answers. */
  daemon: Gate
  /** Aborts when the lease under which jobs run now has been lost. */
  leaseLost(): AbortSignal
  /** Brings the index up to date about one container. */
  refresh(id: string): Promise<void>
  /** Has the index brought up to date about one container soon. */
  touch(id: string): void
}

/** An action whose effect is not known is tried so often at the most, if trying again is safe. */
const maxUnknown = 5

/** The payload's action and its validated parameters. Throws `unknown_action` or `invalid_request`. */
export function readPayload(payload: JobPayload): { action: Action; params: { id?: string } } {
  const action = findAction(payload.action)
  if (!action) throw new DebloxError('unknown_action', `action: expected a known one, got ${payload.action}`)
  const params: { id?: string } = validate(action.params, payload.params, { convert: false })
  // The API resolves names and prefixes: a daemon would take them for paths, or for another container.
  if (action.target === 'container' && !fullId.test(params.id ?? '')) {
    throw new DebloxError('invalid_request', `id: expected 64 hex digits on a dock's topic, got ${String(params.id)}`)
  }
  return { action, params }
}

/** Carries one slot of a job out on the local daemon, or hands it to the dock that has claimed it. */
export async function runAction(payload: JobPayload, stop: AbortSignal, context: RunContext): Promise<SlotReturn> {
  const { action, params } = readPayload(payload)
  const signal = AbortSignal.any([stop, context.leaseLost()])
  if (action.creates) crashPoint('before-claim', payload.jobId)
  const epoch = action.creates ? await place(payload, context) : 0
  if (action.creates) crashPoint('after-claim', payload.jobId)
  if (typeof epoch === 'string') {
    await context.fleet.jobs.forward(payload, dockTopic(epoch))
    return { forwardedTo: dockTopic(epoch) }
  }
  crashPoint('before-act', payload.jobId)
  const result = await perform(action, params, { ...payload, epoch }, signal, context)
  crashPoint('after-act', payload.jobId)
  const touched = result.container?.id ?? params.id
  if (action.effect !== 'read' && touched) {
    // Whoever made, renamed or deleted a container looks it up next; of another change the index may tell a little later.
    if (action.creates || action.renames || action.effect === 'destroy') await context.refresh(touched)
    else context.touch(touched)
  }
  const envelope = envelopeOf(result, context.hostname)
  return result.container ? { envelope, container: result.container } : { envelope }
}

/**
 * Runs the action until its outcome is known. Trying again happens here, inside the container's turn, because a job
 * that went back to its topic would lose its place to later jobs of the same container.
 */
async function perform(
  action: Action,
  params: object,
  payload: JobPayload & { epoch: number },
  signal: AbortSignal,
  context: RunContext,
): Promise<ActionResult> {
  const repeatable = action.effect === 'read' || action.idempotent === true
  const ms = typeof action.timeoutMs === 'function' ? action.timeoutMs(params) : action.timeoutMs
  const { jobId: id, slot, numbered, owner, epoch } = payload
  const job = { id, slot, numbered, owner, epoch }
  for (let unknown = 0; ;) {
    if (needsDaemon(action)) await context.daemon.passed(signal)
    if (!repeatable && (await context.fleet.jobs.markBegun(payload)).before)
      throw outcomeUnknown(action.name, undefined)
    try {
      return await withDeadline(ms, signal, (ending) =>
        action.run(params, { docker: context.docker, signal: ending, job, docks: context.fleet.docks }),
      )
    } catch (error) {
      signal.throwIfAborted()
      const kind = classify(error)
      if (kind === 'final') throw error
      if (kind === 'not-sent') {
        if (!repeatable) await context.fleet.jobs.unmarkBegun(payload)
        if (error instanceof DebloxError) throw error
        context.daemon.set(false)
      } else if (!repeatable || ++unknown >= maxUnknown) throw outcomeUnknown(action.name, error)
    }
  }
}

/** `register` and `unregister` are the fleet's business alone. */
export const needsDaemon = (action: Action): boolean => action.target !== 'cluster' || action.creates === true
