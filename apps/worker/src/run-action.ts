import { crashPoint } from '@deblox/actions/crash-point'
import type { Action } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import { joined } from '@deblox/actions/joined'
import { findAction } from '@deblox/actions/registry'
import { fullId } from '@deblox/actions/schemas'
import { envelopeOf } from '@deblox/fleet/envelope'
import type { JobPayload, SlotResult } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { requireAllowed } from './dock-policy'
import { performWithSecrets } from './perform'
import { placeSlot } from './place'
import { NotHere, type RunContext, type Slot, untilDeadline } from './run-context'
import { untilServed } from './until-served'

/** The payload's action and its validated parameters. Throws `unknown_action` or `invalid_request`. */
export function readAction(payload: Pick<JobPayload, 'action' | 'params'>): {
  action: Action
  params: { id?: string }
} {
  const action = findAction(payload.action)
  if (!action) throw new DebloxError('unknown_action', `action: expected a known one, got ${payload.action}`)
  const params: { id?: string } = validate(action.params, payload.params, { convert: false })
  // The API resolves names and prefixes: a daemon would take them for paths, or for another container.
  if (action.target === 'container' && !fullId.test(params.id ?? '')) {
    throw new DebloxError('invalid_request', `id: expected 64 hex digits on a dock's topic, got ${String(params.id)}`)
  }
  return { action, params }
}

/** What came of it here: a result, that it had ended before, or the topic of the dock that has claimed it. */
export type Ran = SlotResult | { endedBefore: true } | { handOn: string }

/**
 * Carries one slot of a job out on the local daemon, if that is this dock's to do. Throws `NotHere` where another dock
 * should have it, and otherwise what the job reports.
 */
export async function runAction(slot: Slot, stop: AbortSignal, context: RunContext): Promise<Ran> {
  const { action, params } = readAction(slot)
  requireAllowed(context.policy, action, context.hostname)
  const { signal, release } = joined(stop, context.leaseLost())
  try {
    return await carryOut(action, params, slot, signal, context)
  } finally {
    release()
  }
}

async function carryOut(
  action: Action,
  params: { id?: string },
  slot: Slot,
  signal: AbortSignal,
  context: RunContext,
): Promise<Ran> {
  if (action.creates && !slot.again && !context.daemon.isOpen()) throw new NotHere()
  if (action.creates) crashPoint('before-claim', slot.jobId)
  const claim = () => placeSlot(slot, context, signal)
  const placed = action.creates ? await untilServed(claim, signal, untilDeadline(slot, context)) : { act: 0 }
  if (action.creates) crashPoint('after-claim', slot.jobId)
  if ('ended' in placed) return { endedBefore: true }
  if ('forward' in placed) return { handOn: dockTopic(placed.forward.hostname) }
  slot.epoch = placed.act
  crashPoint('before-act', slot.jobId)
  const result = await performWithSecrets(action, params, slot, signal, context)
  crashPoint('after-act', slot.jobId)
  const touched = result.container?.id ?? params.id
  if (action.effect !== 'read' && touched) {
    // Whoever made, renamed or deleted a container looks it up next; of another change the index may tell a little later.
    if (action.creates || action.renames || action.effect === 'destroy') await context.refresh(touched)
    else context.touch(touched)
  }
  const envelope = envelopeOf(result, context.hostname)
  return result.container ? { envelope, container: result.container } : { envelope }
}
