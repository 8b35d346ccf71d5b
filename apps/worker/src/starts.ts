import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import { type JobPayload, slotJobId } from '@deblox/fleet/job'
import type { Beginning } from '@deblox/fleet/outcomes'
import type { Logger } from 'pino'
import { payloadOf, type RunContext, type Slot, untilDeadline } from './run-context'
import { untilServed } from './until-served'

/** One that was begun so often without an end may be what kills workers. Its start counts when its turn has come. */
export const maxUnsuspected = 2

/** How often slots are begun: what is seen of that as attempts, and by which it is known what kills workers. */
export class Starts {
  /** What counts as begun here and has not ended, by the slot's id. */
  private readonly counted = new Set<string>()

  constructor(
    private readonly context: Pick<RunContext, 'fleet' | 'hostname' | 'now'>,
    private readonly log: Logger,
  ) {}

  /** What is known of a slot before it begins. It counts as begun from now on, unless it may be what kills workers. */
  async begin(slot: Slot, { stop, cancel }: { stop: AbortSignal; cancel: AbortSignal }): Promise<Beginning> {
    try {
      const ask = () => this.context.fleet.jobs.begin(payloadOf(slot), maxUnsuspected, this.toldOn(slot))
      const mayGoOn = untilDeadline(slot, this.context)
      const beginning = await untilServed(ask, AbortSignal.any([stop, cancel]), mayGoOn)
      if (beginning.counted) this.counted.add(idOf(slot))
      return beginning
    } catch (error) {
      stop.throwIfAborted()
      const isLate = error instanceof DebloxError && error.code === 'job_expired'
      if (!cancel.aborted && !isLate) throw error
      // That it is over is written down as soon as Redis takes it.
      return { outcome: null, cancelled: cancel.aborted, starts: 0, counted: false }
    }
  }

  /** Counts a start that does not count yet. */
  async count(slot: Slot, signal: AbortSignal): Promise<void> {
    if (this.counted.has(idOf(slot))) return
    signal.throwIfAborted()
    this.counted.add(idOf(slot))
    const count = () => this.context.fleet.jobs.countStart(payloadOf(slot), this.toldOn(slot))
    await untilServed(count, signal, untilDeadline(slot, this.context))
  }

  /**
   * Takes a start back, and tells why where that is given. Never rejects: at worst the slot counts as begun once too often.
   */
  async takeBack(payload: JobPayload, why?: string): Promise<void> {
    if (!this.counted.delete(idOf(payload))) return
    const { fleet, hostname } = this.context
    await fleet.jobs
      .uncountStart(payload, why === undefined ? undefined : { dock: hostname, why })
      .catch((error: unknown) => {
        this.log.warn({ err: error, job: payload.jobId }, 'that a job was given back could not be noted')
      })
  }

  /** Where it is told that it has started; of a create that is told when it is claimed. */
  private toldOn(slot: JobPayload): string | undefined {
    return isCreate(slot) ? undefined : this.context.hostname
  }

  /** The slot has ended: its start stands. */
  end(slot: JobPayload): void {
    this.counted.delete(idOf(slot))
  }
}

/** Whether it is for a dock to claim. */
export const isCreate = ({ action }: JobPayload): boolean => findAction(action)?.creates === true

const idOf = ({ jobId, slot }: JobPayload): string => slotJobId(jobId, slot)
