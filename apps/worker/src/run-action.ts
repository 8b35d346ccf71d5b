import type { KeyObject } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Rules } from '@deblox/actions/admission/rules'
import { crashPoint } from '@deblox/actions/crash-point'
import { withDeadline } from '@deblox/actions/deadline'
import type { Action, ActionContext, ActionResult } from '@deblox/actions/define-action'
import { DebloxError } from '@deblox/actions/errors'
import { validate } from '@deblox/actions/explain'
import { findAction } from '@deblox/actions/registry'
import { fullId } from '@deblox/actions/schemas'
import { hideIn, type Secrets } from '@deblox/actions/secrets'
import { envelopeOf } from '@deblox/fleet/envelope'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobPayload, SlotOutcome, SlotResult } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { deadlineOf } from '@deblox/fleet/payload'
import { unseal } from '@deblox/fleet/signing/seal'
import type Docker from 'dockerode'
import { capBy, type DockPolicy, requireAllowed } from './dock-policy'
import { classify, type FailureClass, outcomeUnknown, pauseBefore, reportOf } from './failure'
import type { Gate } from './gate'
import { placeSlot } from './place'
import { expired } from './refusals'
import { requireGiven } from './rights'
import { untilServed } from './until-served'

export interface RunContext {
  hostname: string
  docker: Docker
  fleet: Fleet
  /** Open while the daemon answers. */
  daemon: Gate
  /** What the owner of this machine lets run here, whoever asks. */
  policy: DockPolicy
  /** What a job may ask for that does not say by which rules it was accepted. */
  defaultRules: Rules
  /** Aborts when the daemon stops answering: what was asked of it before may never be answered. */
  daemonLost(): AbortSignal
  /** Aborts when the lease under which jobs run now has been lost. */
  leaseLost(): AbortSignal
  /** How long nobody may be called dead, in milliseconds. */
  graceMs(): number
  /** Redis's time, in milliseconds since 1970. */
  now(): number
  /** Shuts the gates until the lease is held again; rejects when the signal aborts. */
  workAgain(signal: AbortSignal): Promise<void>
  pullOnce: ActionContext['pullOnce']
  owners: ActionContext['owners']
  /** The labels of a container, where they have been seen. */
  labelsOf(id: string): Record<string, string> | undefined
  /** The key with which this dock opens what is sealed to it. */
  sealKey: KeyObject
  /** Called when it is written down how a slot ended here. */
  onEnded(payload: JobPayload, outcome: SlotOutcome): Promise<void> | void
  /** Called when it was this dock that wrote down how a slot ended. */
  onRecorded(outcome: SlotOutcome): void
  /** Brings the index up to date about one container. */
  refresh(id: string): Promise<void>
  /** Has the index brought up to date about one container soon. */
  touch(id: string): void
}

/** One slot on its way through a worker. */
export interface Slot extends JobPayload {
  /** It was taken before, by this worker or another: a part of it may have been done. */
  again: boolean
  /** Of this dock's claim to it; 0 where there is none. */
  epoch: number
  /** What was sealed to this dock, while it acts. */
  secrets?: Secrets
}

/** This dock cannot do it now and has done nothing: any other dock will do. */
export class NotHere extends Error {}

/** The payload's action and its validated parameters. Throws `unknown_action` or `invalid_request`. */
export function readAction(payload: JobPayload): { action: Action; params: { id?: string } } {
  const action = findAction(payload.action)
  if (!action) throw new DebloxError('unknown_action', `action: expected a known one, got ${payload.action}`)
  const params: { id?: string } = validate(action.params, payload.params, { convert: false })
  // The API resolves names and prefixes: a daemon would take them for paths, or for another container.
  if (action.target === 'container' && !fullId.test(params.id ?? '')) {
    throw new DebloxError('invalid_request', `id: expected 64 hex digits on a dock's topic, got ${String(params.id)}`)
  }
  return { action, params }
}

/** Under which identity a slot acts: a job that tries another one again finds what that one made. */
export const effectOf = ({ origin, jobId }: JobPayload): string => origin ?? jobId

/** What came of it here: a result, that it had ended before, or the topic of the dock that has claimed it. */
export type Ran = SlotResult | { endedBefore: true } | { handOn: string }

/**
 * Carries one slot of a job out on the local daemon, if that is this dock's to do. Throws `NotHere` where another dock
 * should have it, and otherwise what the job reports.
 */
export async function runAction(slot: Slot, stop: AbortSignal, context: RunContext): Promise<Ran> {
  const { action, params } = readAction(slot)
  requireAllowed(context.policy, action, context.hostname)
  const signal = AbortSignal.any([stop, context.leaseLost()])
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

/** What is put on a topic again: without what only this worker knows. */
export const payloadOf = ({ again: _again, epoch: _epoch, secrets: _secrets, ...payload }: Slot): JobPayload => payload

/** Opens what is sealed to this dock just before it is needed. Nothing of it is in what is thrown. */
async function performWithSecrets(
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

/** What the action gets. */
export function actionContext(slot: Slot, signal: AbortSignal, context: RunContext): ActionContext {
  const { slot: number, numbered, owner, epoch, acceptedAt } = slot
  const job = { id: effectOf(slot), slot: number, numbered, owner, epoch, acceptedAt }
  return {
    docker: context.docker,
    dock: context.hostname,
    owners: context.owners,
    rules: capBy(context.policy)(slot.rules ?? context.defaultRules),
    ...(slot.view && { view: slot.view }),
    ...(slot.secrets && { secrets: slot.secrets }),
    signal,
    job,
    docks: context.fleet.docks,
    pullOnce: context.pullOnce,
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
    const ended = needsDaemon(action) ? AbortSignal.any([signal, lost]) : signal
    const run = () =>
      withDeadline(ms, ended, async (ending) => {
        if (params.id !== undefined) await requireGiven(slot.given, params.id, context, ending)
        return action.run(params, actionContext(slot, ending, context))
      })
    try {
      // What does not need the daemon acts on Redis.
      return await (needsDaemon(action) ? run() : served(run))
    } catch (error) {
      signal.throwIfAborted()
      // Nobody else would begin what this dock has claimed: they would hand it back here.
      if (error instanceof NotHere && action.creates) await served(() => giveUpClaim(slot, context))
      const kind = lost.aborted && error === lost.reason ? 'unknown' : classify(error)
      const failed = (failures.get(kind) ?? 0) + 1
      failures.set(kind, failed)
      if (kind === 'not-sent') {
        if (!repeatable) await served(() => jobs.unmarkBegun(slot))
        if (error instanceof DebloxError) throw error
        context.daemon.set(false)
        if (action.creates && !sent) await served(() => giveUpClaim(slot, context))
        continue
      }
      sent = true
      const pauseMs = repeatable ? pauseBefore(kind, failed) : null
      if (pauseMs === null)
        throw kind === 'unknown' || kind === 'timed-out' ? outcomeUnknown(action.name, error) : error
      // The timer's own words for it would hide why: a lease that was lost is no failure.
      await wait(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted())
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
  const left = AbortSignal.timeout(Math.max(0, deadlineOf(slot) - context.now()))
  try {
    await daemon.passed(AbortSignal.any([signal, left]))
  } catch (error) {
    if (!left.aborted || signal.aborted) throw error
    throw sent ? outcomeUnknown(action.name, undefined) : expired(slot)
  }
}

/** Nothing was sent: another dock may have the slot, if nobody asked for this one. */
async function giveUpClaim(slot: Slot, { fleet, hostname }: RunContext): Promise<void> {
  await fleet.placements.release(effectOf(slot), slot.slot, hostname, slot.epoch)
  throw new NotHere()
}

/** Gives what throws `job_expired` once the slot may not be begun any more. */
export const untilDeadline = (slot: Slot, context: Pick<RunContext, 'now'>) => (): void => {
  if (context.now() > deadlineOf(slot)) throw expired(slot, slot.again)
}

/** `register` and `unregister` are the fleet's business alone. */
export const needsDaemon = (action: Action): boolean => action.target !== 'cluster' || action.creates === true
