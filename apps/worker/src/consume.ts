import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobPayload, SlotOutcome } from '@deblox/fleet/job'
import { failureText, standing } from '@deblox/fleet/standing'
import { clusterTopic, dockTopic, times } from '@deblox/fleet/names'
import type { SlotReturn } from '@deblox/fleet/topics'
import { DelayedError, type Job, WaitingError, Worker } from 'bullmq'
import type { Logger } from 'pino'
import { Chains } from './chains'
import type { Dock } from './dock'
import { reportOf } from './failure'
import type { Gate } from './gate'
import { HandBack } from './hand-back'
import { needsDaemon, runAction, type RunContext } from './run-action'

type SlotJob = Job<JobPayload, SlotReturn>

/** When a job was really worked on: BullMQ counts from when it was taken, also while it waits for its container's turn. */
interface Span {
  startedAt: number
  finishedAt: number
}

/** How many jobs a dock works on at once: from its own topic, and from the cluster topic, which others serve too. */
const concurrency = { own: 20, cluster: 4 }

/** While no dock is ready, a job that needs one is looked at again after so long, in milliseconds. */
const offerAgainMs = 2_000

/** A job whose worker died is given to another so often before it counts as the cause. */
const maxStalledCount = 2

/** What is under way gets so long when the worker stops, in milliseconds; then it is handed back. */
const graceMs = 7_000

/** Takes jobs from the cluster topic and from this dock's, while their gates are open, and records how they end. */
export class Consumers {
  private readonly chains = new Chains()
  private readonly handBack = new HandBack()
  private readonly recording = new Set<Promise<void>>()
  private readonly spans = new WeakMap<SlotJob, Span>()
  private readonly workers: Worker<JobPayload, SlotReturn>[]

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
    await Promise.all(this.workers.map((worker) => worker.pause(true)))
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
  ): Worker<JobPayload, SlotReturn> {
    const worker = new Worker<JobPayload, SlotReturn>(topic, (job, token) => run(job, token ?? ''), {
      connection: this.fleet.redis,
      prefix: this.fleet.prefix,
      concurrency: limit,
      lockDuration: times.jobLock,
      stalledInterval: times.stalledCheck,
      maxStalledCount,
      autorun: false,
    })
    worker.on('completed', (job, result) => {
      if ('envelope' in result) this.record(job, 'completed')
    })
    worker.on('failed', (job) => {
      if (job) this.record(job, 'failed')
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
        this.chains.run(key, async () => {
          if (!started()) throw new WaitingError()
          return this.run(job, token, signal)
        }),
    )
  }

  private async run(job: SlotJob, token: string, signal: AbortSignal): Promise<SlotReturn> {
    const startedAt = Date.now()
    try {
      return await runAction(job.data, signal, this.context)
    } catch (error) {
      if (signal.aborted) throw error
      if (error instanceof DebloxError && error.code === 'lease_lost') {
        // Nothing was done: whoever holds the lease next does it.
        this.dock.work.set(false)
        await job.moveToWait(token)
        throw new WaitingError()
      }
      throw new Error(failureText(reportOf(error), this.context.hostname), { cause: error })
    } finally {
      this.spans.set(job, { startedAt, finishedAt: Date.now() })
    }
  }

  private record(job: SlotJob, state: 'completed' | 'failed'): void {
    const outcome = { ...standing(job.data.slot, job, state), ...this.spans.get(job) } as SlotOutcome
    const { action, jobId, slot } = job.data
    this.log.info({ job: jobId, slot, action, state, err: outcome.error ?? undefined }, 'job ended')
    const recorded = this.fleet.jobs
      .finish(job.data, outcome)
      .catch((error: unknown) => this.log.error({ err: error, job: jobId }, 'the outcome could not be recorded'))
      .finally(() => this.recording.delete(recorded))
    this.recording.add(recorded)
  }
}
