import { setTimeout as wait } from 'node:timers/promises'
import { withDeadline } from '@deblox/actions/deadline'
import type { Action, ActionResult } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { joined } from '@deblox/actions/joined'
import { hideIn } from '@deblox/actions/secrets'
import { cut } from '@deblox/fleet/job-telling'
import { deadlineOf } from '@deblox/fleet/payload'
import { unseal } from '@deblox/fleet/signing/seal'
import { classify, type FailureClass, outcomeUnknown, pauseBefore, reportOf } from './failure'
import { expired } from './refusals'
import { requireGiven } from './rights'
import {
  actionContext,
  effectOf,
  needsDaemon,
  NotHere,
  payloadOf,
  type RunContext,
  type Slot,
  untilDeadline,
} from './run-context'
import { untilServed } from './until-served'

/** Opens what is sealed to this dock just before it is needed. Nothing of it is in what is thrown. */
export async function performWithSecrets(
  action: Action,
  params: object,
  slot: Slot,
  signal: AbortSignal,
  context: RunContext,
): Promise<ActionResult> {
  if (slot.sealed === undefined) return perform(action, params, slot, signal, context)
  const sealedFor = { jobId: effectOf(slot), slot: slot.slot, dock: context.hostname }
  const secrets = await unseal(slot.sealed, sealedFor, context.sealKey)
  try {
    return await perform(action, params, { ...slot, secrets }, signal, context)
  } catch (error) {
    if (signal.aborted || error instanceof NotHere) throw error
    const { code, status, message, details = {} } = reportOf(error)
    throw hideIn(new DebloxError(code, message, { status, details }), secrets)
  }
}

/**
 * Runs the action until its outcome is known. Trying again happens here, inside the container's turn, because a job
 * that went back to its topic would lose its place to later jobs of the same container.
 */
async function perform(
  action: Action,
  params: { id?: string },
  slot: Slot,
  signal: AbortSignal,
  context: RunContext,
): Promise<ActionResult> {
  const { jobs } = context.fleet
  const repeatable = action.effect === 'read' || action.idempotent === true
  const ms = typeof action.timeoutMs === 'function' ? action.timeoutMs(params) : action.timeoutMs
  const failures = new Map<FailureClass, number>()
  const served = <T>(ask: () => Promise<T>): Promise<T> => untilServed(ask, signal, untilDeadline(slot, context))
  for (let sent = slot.again; ;) {
    if (needsDaemon(action)) await daemonIsBack(action, slot, sent, signal, context)
    if (!repeatable && (await served(() => jobs.markBegun(slot))).before) throw outcomeUnknown(action.name, undefined)
    const lost = context.daemonLost()
    const ended = joined(signal, ...(needsDaemon(action) ? [lost] : []))
    const run = () =>
      withDeadline(ms, ended.signal, async (ending) => {
        if (params.id !== undefined) await requireGiven(slot.given, params.id, context, ending)
        return action.run(params, actionContext(slot, ending, context))
      })
    try {
      // What does not need the daemon acts on Redis.
      return await (needsDaemon(action) ? run() : served(run))
    } catch (error) {
      signal.throwIfAborted()
      // Nobody else would begin what this dock has claimed: they would hand it back here.
      if (error instanceof NotHere && action.creates) await served(() => giveUpClaim(slot, context, error.message))
      const kind = lost.aborted && error === lost.reason ? 'unknown' : classify(error)
      const failed = (failures.get(kind) ?? 0) + 1
      failures.set(kind, failed)
      if (kind === 'not-sent') {
        if (!repeatable) await served(() => jobs.unmarkBegun(slot))
        if (error instanceof DebloxError) throw error
        context.daemon.set(false)
        const why = `the Docker daemon of ${context.hostname} does not answer`
        if (action.creates && !sent) await served(() => giveUpClaim(slot, context, why))
        continue
      }
      sent = true
      const pauseMs = repeatable ? pauseBefore(kind, failed) : null
      if (pauseMs === null)
        throw kind === 'unknown' || kind === 'timed-out' ? outcomeUnknown(action.name, error) : error
      tellRetry(slot, error, failed, context)
      // The timer's own words for it would hide why: a lease that was lost is no failure.
      await wait(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    } finally {
      ended.release()
    }
  }
}

/** Waits for a daemon that is away, as long as the job may still be begun. Throws `job_expired`, or what is not known. */
async function daemonIsBack(
  action: Action,
  slot: Slot,
  sent: boolean,
  signal: AbortSignal,
  context: RunContext,
): Promise<void> {
  const { daemon } = context
  if (daemon.isOpen()) return
  context.tell(slot, { event: 'waiting', data: { why: `the Docker daemon of ${context.hostname} does not answer` } })
  const left = AbortSignal.timeout(Math.max(0, deadlineOf(slot) - context.now()))
  try {
    await daemon.passed(AbortSignal.any([signal, left]))
  } catch (error) {
    if (!left.aborted || signal.aborted) throw error
    throw sent ? outcomeUnknown(action.name, undefined) : expired(slot)
  }
}

/** Nothing was sent: another dock may have the slot, if nobody asked for this one. */
async function giveUpClaim(slot: Slot, { fleet, hostname }: RunContext, why: string): Promise<void> {
  await fleet.placements.release(effectOf(slot), slot.slot, hostname, slot.epoch, { payload: payloadOf(slot), why })
  throw new NotHere()
}

/** Says that it is tried again, and why: in words in which no secret stands. */
function tellRetry(slot: Slot, failure: unknown, failed: number, context: RunContext): void {
  const { code, status, message } = reportOf(failure)
  const shown = hideIn(new DebloxError(code, message, { status }), slot.secrets ?? {})
  context.tell(slot, { event: 'retrying', data: { failed, status, code, why: cut(shown.message) } })
}
