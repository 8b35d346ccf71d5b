import { DebloxError, type ErrorCode } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import { auditIntakeOf } from '@deblox/fleet/audit-intake'
import type { Fleet } from '@deblox/fleet/fleet'
import { anyDock, type JobPayload, type SlotOutcome, slotJobId } from '@deblox/fleet/job'
import { deadlineOf } from '@deblox/fleet/payload'
import { badSignature } from '@deblox/fleet/signing/public-keys'
import type { Logger } from 'pino'
import type { SlotJob } from './consumer'
import { reportOf } from './failure'
import { failed } from './slot-runner'
import type { Spent } from './spent'

/** What a job may have made is remembered for so long beyond its deadline, in milliseconds; what comes later is refused. */
const graceMs = 60 * 60_000

/** That two clocks tell the same moment so differently is no reason to refuse a job, in milliseconds. */
const clockMs = 60_000

/** What a dock answers where it does not let itself be told: whoever asked may have left, so it is told to the audit here. */
const ownRefusals: ReadonlySet<string> = new Set(['forbidden', 'dock_policy'] satisfies ErrorCode[])

/** A job that may be carried out, or one whose end was known here and has been told again. */
export type Checked = { payload: JobPayload } | { told: true }

/**
 * What of a topic may be carried out here: what the API has signed, for this dock, in time, and once. Anything may stand in
 * Redis.
 */
export class Checks {
  private last: Promise<unknown> = Promise.resolve()
  private readonly underWay = new Map<string, number>()

  constructor(
    private readonly fleet: Fleet,
    private readonly hostname: string,
    private readonly spent: Spent,
    private readonly log: Logger,
  ) {}

  /** One after the other, so that jobs go on in the order in which they were taken. Throws what BullMQ keeps of a refusal. */
  async check(job: SlotJob): Promise<Checked> {
    const mine = this.last.then(() => this.decide(job))
    this.last = mine.catch(() => undefined)
    return mine.catch((error: unknown) => this.refuse(job, error))
  }

  /** Resolves when all that was taken has been looked at. */
  async settled(): Promise<void> {
    await this.last
  }

  /** Runs what was checked. While it does, no other entry can say how its slot ended. */
  async guard<T>({ jobId, slot }: JobPayload, run: () => Promise<T>): Promise<T> {
    const id = slotJobId(jobId, slot)
    this.underWay.set(id, (this.underWay.get(id) ?? 0) + 1)
    try {
      return await run()
    } finally {
      const left = (this.underWay.get(id) ?? 1) - 1
      if (left > 0) this.underWay.set(id, left)
      else this.underWay.delete(id)
    }
  }

  /** To be called when it is written down how a slot ended here: it is not carried out again. */
  ended(payload: JobPayload, outcome: SlotOutcome): void {
    this.spent.add(slotJobId(payload.jobId, payload.slot), forgetAt(payload), outcome)
  }

  /** Tells the audit where this dock itself would not do what the API had signed. Never rejects. */
  async refusedHere({ jobId, slot }: JobPayload, { error }: SlotOutcome): Promise<void> {
    if (error && ownRefusals.has(error.code)) await this.tell(slotJobId(jobId, slot), error)
  }

  private async decide(job: SlotJob): Promise<Checked> {
    const payload = await this.fleet.jobs.open(job.data)
    const { jobId, slot, dock } = payload
    const id = slotJobId(jobId, slot)
    if (!isOf(id, job.id)) throw badSignature(`payload: expected the job and slot of ${String(job.id)}, got ${id}`)
    if (dock !== anyDock && dock !== this.hostname) throw badSignature(`dock: expected ${this.hostname}, got ${dock}`)
    if (this.spent.has(id)) return this.endedBefore(job, payload, id)
    const now = this.fleet.clock.now()
    if (now <= deadlineOf(payload)) return { payload }
    // Whoever waits for it is told that it came too late, if somebody does: else it was kept, and is sent now.
    const { isPlace, ended } = await this.fleet.jobs.entry(placeOf(job))
    if (isPlace && !ended && now <= forgetAt(payload)) return { payload }
    throw badSignature(`expiresAt: expected a time to come, got ${new Date(payload.expiresAt).toISOString()}`)
  }

  /** It is not done again. One that comes again because its worker died, or Redis lost its last moments, has its outcome. */
  private async endedBefore(job: SlotJob, payload: JobPayload, id: string): Promise<Checked> {
    const { isPlace, ended } = await this.fleet.jobs.entry(placeOf(job))
    if (isPlace && ended && job.attemptsStarted > 1) return { payload }
    const remembered = this.spent.outcome(id)
    if (isPlace && !ended && remembered) {
      await this.fleet.jobs.finish(payload, remembered)
      return { told: true }
    }
    throw badSignature(`payload: expected a job that was not carried out yet, got ${id}, which this dock has ended`)
  }

  private async refuse(job: SlotJob, error: unknown): Promise<never> {
    // Redis could not be asked: it comes again.
    if (!(error instanceof DebloxError) || error.code === 'redis_unavailable') throw error
    const report = reportOf(error)
    this.log.error(
      { err: error, job: job.id },
      'a job that the API has not signed so was found on a topic, and refused',
    )
    await this.tell(String(job.id).slice(0, 100), report)
    const [, slotId = ''] = /^([0-9a-f-]{36}\.\d+)/.exec(job.id ?? '') ?? []
    if (!this.underWay.has(slotId)) {
      const finishedAt = this.fleet.clock.now()
      const end = {
        state: 'failed',
        dock: this.hostname,
        attempts: 0,
        startedAt: null,
        finishedAt,
        result: null,
      } as const
      await this.fleet.jobs
        .settleEntry(placeOf(job), { ...end, error: report })
        .catch((failure: unknown) => this.log.warn({ err: failure, job: job.id }, 'a refusal could not be recorded'))
    }
    throw failed(report, this.hostname, error)
  }

  /** Never rejects: a job is refused, whether that can be told or not. */
  private async tell(jobId: string, { code, message }: { code: string; message: string }): Promise<void> {
    const { redis, keys } = this.fleet
    const told = { at: new Date(this.fleet.clock.now()).toISOString(), dock: this.hostname, jobId }
    try {
      if (code === 'bad_signature') await redis.hincrby(keys.dock(this.hostname), 'refused', 1)
      await auditIntakeOf(redis, keys).refuse({ ...told, what: code, reason: message })
    } catch (error) {
      this.log.warn({ err: error, job: jobId }, 'a refusal could not be told')
    }
  }
}

/** What a create has made can be undone because of its deadline: so it is remembered beyond. */
function forgetAt(payload: JobPayload): number {
  const canBeUndone = findAction(payload.action)?.undo !== undefined
  return deadlineOf(payload) + (canBeUndone ? graceMs : 0) + clockMs
}

const placeOf = ({ queueName: topic, id }: SlotJob) => ({ topic, id: String(id) })

/** Its id there is that of its slot, maybe after it was handed on. */
const isOf = (slotId: string, id = ''): boolean => id === slotId || id.startsWith(`${slotId}.`)
