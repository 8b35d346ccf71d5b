import { crashPoint } from '@deblox/actions/crash-point'
import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished, type JobError, type JobPayload, type SlotOutcome, type SlotResult } from '@deblox/fleet/job'
import { isTold } from '@deblox/fleet/jobs'
import { failureText, standing } from '@deblox/fleet/standing'
import { clusterTopic, dockTopic, times } from '@deblox/fleet/names'
import type { SlotReturn } from '@deblox/fleet/topics'
import { DelayedError, type Job, WaitingError } from 'bullmq'
import type { Logger } from 'pino'
import { Chains } from './chains'
import type { Dock } from './dock'
import { reportOf } from './failure'
import type { Gate } from './gate'
import { HandBack } from './hand-back'
import { InOrderWorker } from './in-order-worker'
import { Limit } from './limit'
import { needsDaemon, runAction, type RunContext } from './run-action'

type SlotJob = Job<JobPayload, SlotReturn>

/**
 * How many jobs a dock takes at once: from its own topic, and from the cluster topic, which others serve too. Of its own
 * it takes more than it works on, because many may wait for the turn of one container.
 */
const concurrency = { own: 300, cluster: 4 }

/** How many jobs a dock works on at once. */
const maxAtWork = 20

/** While no dock is ready, a job that needs one is looked at again after so long, in milliseconds. */
const offerAgainMs = 2_000

/** A job whose worker died is given to another so often before it counts as the cause. */
const maxStalledCount = 2

/** What is under way gets so long when the worker stops, in milliseconds; then it is handed back. */
const graceMs = 7_000

/** Takes jobs from the cluster topic and from this dock's, while their gates are open, and records how they end. */
export class Consumers {
  private readonly chains = new Chains()
  private readonly atWork = new Limit(maxAtWork)
  private readonly handBack = new HandBack()
  private readonly recording = new Set<Promise<void>>()
  /** Outcomes whose results are too large to be told: callers read them from BullMQ once they are there. */
  private readonly untold = new WeakMap<SlotJob, SlotOutcome>()
  private readonly ended = new WeakSet<SlotJob>()
  private readonly workers: InOrderWorker<JobPayload, SlotReturn>[]

  constructor(
    private readonly fleet: Fleet,
    private readonly dock: Dock,
    private readonly context: RunContext,
    private readonly log: Logger,
  ) {
    this.workers = [
      this.consume(clusterTopic, concurrency.cluster, dock.clusterWork, (job, token) => this.fromCluster(job, token)),
      this.consume(dockTopic(context.hostname), concurrency.own, dock.work, (job, token) => this.ordered(job, token)),
    ]
  }

  /** Takes no more jobs; finishes what is under way if it ends in time, hands the rest back, and records all outcomes. */
  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.takeNoMore()))
    await this.handBack.unstarted()
    const settled = Promise.all(this.workers.map((worker) => worker.close()))
    const timer = setTimeout(() => void this.handBack.started(), graceMs)
    await settled
    clearTimeout(timer)
    await Promise.all(this.recording)
  }

  private consume(
    topic: string,
    limit: number,
    gate: Gate,
    run: (job: SlotJob, token: string) => Promise<SlotReturn>,
  ): InOrderWorker<JobPayload, SlotReturn> {
    const worker = new InOrderWorker<JobPayload, SlotReturn>(topic, (job, token) => run(job, token ?? ''), {
      connection: this.fleet.redis,
      prefix: this.fleet.prefix,
      concurrency: limit,
      lockDuration: times.jobLock,
      stalledInterval: times.stalledCheck,
      maxStalledCount,
      autorun: false,
    })
    worker.on('completed', (job) => {
      const outcome = this.untold.get(job)
      if (outcome) this.record(job, outcome)
    })
    worker.on('failed', (job) => {
      if (job) this.recordGivenUp(job)
    })
    worker.on('error', (error) => this.log.warn({ err: error, topic }, 'taking jobs failed; trying again'))
    // Without waiting for what is active: a gate shuts because the daemon hangs, and then that may take long.
    gate.onChange((open) => void (open ? worker.resume() : worker.pause(true)))
    if (gate.isOpen()) void worker.resume()
    return worker
  }

  private async fromCluster(job: SlotJob, token: string): Promise<SlotReturn> {
    const action = findAction(job.data.action)
    const mayRun = !action || !needsDaemon(action) || (await this.dock.mayPlace())
    if (mayRun) return this.ordered(job, token)
    if (!this.dock.clusterWork.isOpen()) {
      // It was handed out while the gate was being shut, or shut it: others are ready for it.
      await job.moveToWait(token)
      throw new WaitingError()
    }
    await job.moveToDelayed(Date.now() + offerAgainMs, token)
    throw new DelayedError()
  }

  /** Jobs of one container run one at a time in the order taken; others have a turn of their own. */
  private ordered(job: SlotJob, token: string): Promise<SlotReturn> {
    const key = typeof job.data.params['id'] === 'string' ? job.data.params['id'] : `job ${job.id}`
    return this.handBack.guard(
      () => job.moveToWait(token),
      (started, signal) =>
        this.chains.run(key, () =>
          this.atWork.run(async () => {
            if (!started()) throw new WaitingError()
            return this.run(job, signal)
          }),
        ),
    )
  }

  private async run(job: SlotJob, signal: AbortSignal): Promise<SlotReturn> {
    // Its worker may have died, or been stopped, after it had ended: then there is nothing left to do.
    if (job.attemptsStarted > 1 && (await this.fleet.jobs.outcome(job.data))) return { endedBefore: true }
    const startedAt = Date.now()
    const ended = (state: 'completed' | 'failed', result: SlotResult | null, error: JobError | null): SlotOutcome => {
      const { hostname: dock } = this.context
      const { attemptsStarted: attempts, data } = job
      return { slot: data.slot, state, dock, attempts, startedAt, finishedAt: Date.now(), result, error }
    }
    try {
      const result = await this.act(job.data, signal)
      crashPoint('before-complete', job.data.jobId)
      if ('envelope' in result) {
        // Not waited for: it goes to Redis together with BullMQ's own record, and the caller hears of it one write earlier.
        if (isTold(result)) this.record(job, ended('completed', result, null))
        else this.untold.set(job, ended('completed', result, null))
      }
      return result
    } catch (error) {
      if (signal.aborted) throw error
      const report = reportOf(error)
      this.record(job, ended('failed', null, report))
      throw new Error(failureText(report, this.context.hostname), { cause: error })
    }
  }

  /** Runs the action under the lease: without it nothing is done, and the job keeps its turn until it is held again. */
  private async act(payload: JobPayload, signal: AbortSignal): Promise<SlotReturn> {
    for (;;) {
      try {
        return await runAction(payload, signal, this.context)
      } catch (error) {
        if (!(error instanceof DebloxError && error.code === 'lease_lost')) throw error
        // Given back, it could be overtaken by a job of the same container that was taken at that moment.
        this.dock.work.set(false)
        await this.dock.work.passed(signal)
      }
    }
  }

  /** A job that BullMQ gave up because its workers died over it: none of them could say how it ended. */
  private recordGivenUp(job: SlotJob): void {
    if (this.ended.has(job)) return
    const outcome = standing(job.data.slot, job, 'failed')
    if (isFinished(outcome)) this.record(job, outcome)
  }

  /** Writes down how a job ended; of several outcomes of one slot the first one counts. */
  private record(job: SlotJob, outcome: SlotOutcome): void {
    const { action, jobId, slot } = job.data
    const { state, error } = outcome
    this.ended.add(job)
    this.log.info({ job: jobId, slot, action, state, ...(error && { error }) }, 'job ended')
    const recorded = this.fleet.jobs
      .finish(job.data, outcome)
      .catch((failure: unknown) => this.log.error({ err: failure, job: jobId }, 'the outcome could not be recorded'))
      .finally(() => this.recording.delete(recorded))
    this.recording.add(recorded)
  }
}
