import { crashPoint } from '@deblox/actions/crash-point'
import { withDeadline } from '@deblox/actions/deadline'
import { DebloxError } from '@deblox/actions/errors'
import { joined } from '@deblox/actions/joined'
import {
  type JobError,
  type JobPayload,
  type SlotOutcome,
  slotJobId,
  type SlotResult,
  type TerminalState,
} from '@deblox/fleet/job'
import { type Beginning, copiedResult, maxResult, type Recorded } from '@deblox/fleet/outcomes'
import { dockOfTopic } from '@deblox/fleet/names'
import { failureText, stateOf } from '@deblox/fleet/standing'
import type { SlotReturn } from '@deblox/fleet/topics'
import { UnrecoverableError } from 'bullmq'
import type { Logger } from 'pino'
import { cancelled } from './cancels'
import { classify, outcomeUnknown, reportOf } from './failure'
import { Limit } from './limit'
import { expired, replaced, tooLarge, workerDied } from './refusals'
import { type Ran, readAction, runAction } from './run-action'
import { actionContext, NotHere, payloadOf, type RunContext, type Slot, untilDeadline } from './run-context'
import { isCreate, maxUnsuspected, Starts } from './starts'
import { untilRecorded } from './until-recorded'
import { untilServed } from './until-served'

/** One that was begun so often, by workers that did not live to end it, is what kills them. */
const maxStarts = 3

/** How long it may take to remove what a cancelled job has made, in milliseconds. */
const undoMs = 60_000

/** How a slot came to this worker. */
export interface Taken {
  /** How often it was taken from its topic, this time included, whether it was begun then or not. */
  takes: number
  /** The topic from which it was taken. */
  from?: string
  /** Aborts when the worker stops. */
  stop: AbortSignal
  /** Aborts when the slot is cancelled. */
  cancel: AbortSignal
  /** Jobs accepted before then, in milliseconds since 1970, were meant for another machine; 0 where there is none. */
  meantSince: number
}

interface End {
  outcome: SlotOutcome
  /** What BullMQ keeps of it; an error for a failed job. */
  answer: SlotReturn | Error
}

/** Takes a slot from its beginning to its recorded end. */
export class SlotRunner {
  /** What has ended here and is not written down yet, by the slot's id. */
  private readonly unrecorded = new Map<string, Promise<Recorded>>()
  private readonly starts: Starts
  /** One at a time: where several were under way at each death, only that tells which of them it is. */
  private readonly suspects = new Limit(1)

  constructor(
    private readonly context: RunContext,
    private readonly log: Logger,
  ) {
    this.starts = new Starts(context, log)
  }

  /** Resolves when all that has ended is written down. */
  async allRecorded(): Promise<void> {
    await Promise.all(this.unrecorded.values())
  }

  /** Runs it, if it is still to be run. Throws `NotHere`, or what BullMQ keeps of a failure. */
  async run(payload: JobPayload, taken: Taken): Promise<SlotReturn> {
    await this.unrecorded.get(slotJobId(payload.jobId, payload.slot))
    const { takes, from } = taken
    const slot: Slot = { ...payload, again: takes > 1, epoch: 0, ...(from !== undefined && { from }) }
    const beginning = await this.starts.begin(slot, taken)
    // Its worker may have died, or been stopped, after it had ended: then there is nothing left to do.
    if (beginning.outcome) return { endedBefore: true }
    for (;;) {
      const end = await this.attempt(slot, beginning, taken)
      if (!('outcome' in end)) return end
      const { outcome, answer } = end
      const recorded = this.record(slot, outcome)
      const isModest = 'envelope' in answer || answer instanceof Error
      // Elsewhere it is not waited for: it goes to Redis together with BullMQ's own record, and the caller hears of it one
      // write earlier. Of a claimed slot BullMQ's may be the last copy, which must not end over an outcome that is refused.
      if ((slot.epoch > 0 || !isModest) && (await recorded) === 'refused') {
        slot.again = true
        // Where it does not come to another claim, as when it is cancelled, nobody's claim is in the way of its end.
        slot.epoch = 0
        continue
      }
      if (answer instanceof Error) throw answer
      return answer
    }
  }

  /** Ends a slot that was taken and left the line before its turn. Throws what BullMQ keeps of it. */
  async endUnbegun(payload: JobPayload, why: DebloxError): Promise<never> {
    const report = reportOf(why)
    const { hostname: dock, fleet } = this.context
    const ended = { slot: payload.slot, state: stateOf(report.code), dock, startedAt: null, result: null }
    const attempts = await fleet.jobs.starts(payload).catch(() => 0)
    const outcome = { ...ended, attempts, finishedAt: this.context.now(), error: report }
    await this.record({ ...payload, again: false, epoch: 0 }, outcome)
    throw failed(report, dock, why)
  }

  /** What comes of it: an outcome and what BullMQ keeps of it, or that it was handed on or had ended. */
  private async attempt(slot: Slot, beginning: Beginning, taken: Taken): Promise<End | SlotReturn> {
    const startedAt = this.context.now()
    const { hostname: dock } = this.context
    let attempts = beginning.starts
    const ended = (state: TerminalState, result: SlotResult | null, error: JobError | null): SlotOutcome => {
      const times = { startedAt: attempts > 0 ? startedAt : null, finishedAt: this.context.now() }
      return { slot: slot.slot, state, dock, attempts, ...times, result, error }
    }
    try {
      await this.refuse(slot, beginning, taken)
      const signal = AbortSignal.any([taken.stop, taken.cancel])
      const act = async () => {
        await this.starts.count(slot, signal)
        attempts = beginning.starts + 1
        return this.act(slot, signal)
      }
      const result = await (beginning.starts >= maxUnsuspected ? this.suspects.run(act) : act())
      if ('handOn' in result) return await this.handOn(slot, result.handOn, signal)
      if (!('envelope' in result)) return result
      const { length } = JSON.stringify(result)
      if (length > maxResult) throw tooLarge(length)
      crashPoint('before-complete', slot.jobId)
      this.starts.end(slot)
      const answer: SlotReturn = length > copiedResult ? { kept: 'elsewhere' } : result
      return { outcome: ended('completed', result, null), answer }
    } catch (error) {
      // A create that was claimed has told so when that was given up.
      if (error instanceof NotHere) await this.uncount(slot, isCreate(slot) ? undefined : error.message)
      if (taken.stop.aborted || error instanceof NotHere) throw error
      const report = reportOf(taken.cancel.aborted ? await this.cancel(slot, taken.stop) : error)
      this.starts.end(slot)
      return { outcome: ended(stateOf(report.code), null, report), answer: failed(report, dock, error) }
    }
  }

  /** Takes back that a slot was begun here, and tells why where that is given: it goes back in order. */
  uncount(payload: JobPayload, why?: string): Promise<void> {
    return this.starts.takeBack(payload, why)
  }

  /** Puts it on another dock's topic: it was not begun here. */
  private async handOn(slot: Slot, topic: string, signal: AbortSignal): Promise<SlotReturn> {
    // First, or the other dock would count this start too.
    await this.uncount(slot)
    const why = `${dockOfTopic(topic)} has claimed it`
    const forward = () => this.context.fleet.jobs.forward(payloadOf(slot), topic, why)
    await untilServed(forward, signal, untilDeadline(slot, this.context))
    return { forwardedTo: topic }
  }

  /** Writes down how a slot ended, again and again until Redis has it. Tells what became of that. */
  private record(ended: Slot, outcome: SlotOutcome): Promise<Recorded> {
    const { epoch } = ended
    const { hostname, incarnation } = this.context
    const payload = payloadOf(ended)
    const { action, jobId, slot } = payload
    const { state, error } = outcome
    this.log.info({ job: jobId, slot, action, state, ...(error && { error }) }, 'job ended')
    const id = slotJobId(jobId, slot)
    const claim = epoch > 0 ? { hostname, epoch, incarnation } : undefined
    const recorded = untilRecorded(this.context.fleet.jobs, { payload, outcome, claim }, this.log)
      .then(async (how) => {
        if (how === 'recorded') this.context.onRecorded(outcome)
        if (how !== 'refused') await this.context.onEnded(payload, outcome)
        return how
      })
      .finally(() => this.unrecorded.delete(id))
    this.unrecorded.set(id, recorded)
    return recorded
  }

  /** Throws why a slot is not to be begun (again). */
  private async refuse(slot: Slot, { cancelled: isCancelled, starts }: Beginning, taken: Taken): Promise<void> {
    const { acceptedAt, expiresAt } = slot
    if (isCancelled) throw await this.cancel(slot, taken.stop)
    if (acceptedAt < taken.meantSince) throw replaced(this.context.hostname)
    if (starts >= maxStarts) throw workerDied(starts)
    if (this.context.now() <= expiresAt) return
    const { action } = readAction(slot)
    const mayHaveActed =
      slot.again && !action.idempotent && (await untilServed(() => this.context.fleet.jobs.wasBegun(slot), taken.stop))
    if (mayHaveActed) throw outcomeUnknown(action.name, undefined)
    await this.undo(slot, taken.stop)
    throw expired(slot, slot.again && action.effect !== 'read' && !action.undo)
  }

  /** Runs the action under the lease: without it nothing is done, and the job keeps its turn until it is held again. */
  private async act(slot: Slot, signal: AbortSignal): Promise<Ran> {
    for (;;) {
      try {
        return await runAction(slot, signal, this.context)
      } catch (error) {
        if (!(error instanceof DebloxError && error.code === 'lease_lost')) throw error
        // Given back, it could be overtaken by a job of the same container that was taken at that moment.
        await this.context.workAgain(signal)
        slot.again = true
      }
    }
  }

  /** Removes what a cancelled slot may have made; tells what the job reports. */
  private async cancel(slot: Slot, stop: AbortSignal): Promise<unknown> {
    try {
      await this.undo(slot, stop)
      return cancelled()
    } catch (error) {
      stop.throwIfAborted()
      this.log.warn({ err: error, job: slot.jobId }, 'what a cancelled job made could not be removed')
      return error
    }
  }

  private async undo(slot: Slot, stop: AbortSignal): Promise<void> {
    const { action, params } = readAction(slot)
    if (!action.undo) return
    // Nobody else holds the timeout: of `AbortSignal.any` it might never come.
    const { signal: over, release } = joined(stop, AbortSignal.timeout(undoMs))
    try {
      await this.context.daemon.passed(over)
      await withDeadline(undoMs, stop, async (signal) =>
        action.undo?.(params, actionContext(slot, signal, this.context)),
      )
    } catch (error) {
      stop.throwIfAborted()
      const kind = classify(error)
      // What the daemon did not say is not known; its own words are passed on.
      throw kind === 'final' || kind === 'server-error' ? error : outcomeUnknown(action.name, error)
    } finally {
      release()
    }
  }
}

/** What BullMQ keeps of a failure: it must not try again by itself, whatever the job's options say. */
export const failed = (report: JobError, hostname: string, cause: unknown): Error =>
  Object.assign(new UnrecoverableError(failureText(report, hostname)), { cause })
