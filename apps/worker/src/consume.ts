import { findAction } from '@deblox/actions/registry'
import type { Fleet } from '@deblox/fleet/fleet'
import { anyDock, isFinished, type JobPayload, slotJobId } from '@deblox/fleet/job'
import type { Telling } from '@deblox/fleet/job-events'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { isNewer } from '@deblox/fleet/payload'
import { isOwnFailure, standing } from '@deblox/fleet/standing'
import type { SlotReturn } from '@deblox/fleet/topics'
import { WaitingError } from 'bullmq'
import type { Logger } from 'pino'
import { Cancels } from './cancels'
import { Checks } from './checks'
import { Consumer, type SlotJob } from './consumer'
import type { Dock } from './dock'
import { HandBack } from './hand-back'
import { Pulls } from './pulls'
import { PutOff } from './put-off'
import { needsDaemon, NotHere, type RunContext } from './run-context'
import { SlotRunner } from './slot-runner'
import type { Settled } from './settled'
import type { Spent } from './spent'
import { LeftLine, Turns } from './turns'

/**
 * How many jobs a dock takes at once: from its own topic, and from the cluster topic, which others serve too. Of its own
 * it takes more than it works on, because many may wait for the turn of one container.
 */
const concurrency = { own: 300, cluster: 4 }

/** So many jobs may wait for pulls here: further ones are left to others, or for later. */
const maxPulling = 100

/** While no dock is ready, a job that needs one is looked at again after so long, in milliseconds. */
const offerAgainMs = 2_000

/** A job of a newer version is left for a newer worker, and looked at again after so long, in milliseconds. */
const newerAgainMs = 10_000

/** What is under way gets so long when the worker stops, in milliseconds; then it is handed back. */
const graceMs = 7_000

type OfConsumers = 'pullOnce' | 'tell' | 'workAgain' | 'onEnded' | 'onRecorded'

/** What the consumers are given; what they add to it themselves is the rest of a `RunContext`. */
export interface ConsumersContext extends Omit<RunContext, OfConsumers> {
  /** What has ended here. */
  spent: Spent
  settled: Pick<Settled, 'add'>
}

/** Takes jobs from the cluster topic and from this dock's, in an order that holds for each container. */
export class Consumers {
  private readonly turns: Turns
  private readonly pulls = new Pulls()
  private readonly handBack = new HandBack()
  private readonly cancels: Cancels
  private readonly checks: Checks
  private readonly stopping = new AbortController()
  private readonly putOff: PutOff
  private readonly runner: SlotRunner
  private readonly cluster: Consumer
  private readonly consumers: Consumer[]
  private readonly hostname: string

  constructor(
    private readonly fleet: Fleet,
    private readonly dock: Dock,
    context: ConsumersContext,
    private readonly log: Logger,
    onDeaf: (error: Error) => void,
  ) {
    const { hostname } = context
    this.hostname = hostname
    this.checks = new Checks(fleet, hostname, context.spent, log)
    this.putOff = new PutOff(fleet, this.stopping.signal)
    this.turns = new Turns(fleet.jobs, () => fleet.clock.now())
    this.cancels = new Cancels(fleet.endings, hostname, log)
    this.runner = new SlotRunner(
      {
        ...context,
        onRecorded({ state, result }) {
          if (state === 'completed' && result?.container) context.settled.add(result.container.id)
        },
        onEnded: (payload, outcome) => {
          this.checks.ended(payload, outcome)
          return this.checks.refusedHere(payload, outcome)
        },
        pullOnce: (reference, signal, pull, onProgress) =>
          this.pull(() => this.pulls.once(reference, signal, pull, onProgress)),
        tell: (payload, telling) => this.tell(payload, { ...telling, dock: hostname }),
        async workAgain(signal) {
          dock.work.set(false)
          await dock.work.passed(signal)
        },
      },
      log,
    )
    const common = { hostname, onDeaf, onGivenUp: (job: SlotJob) => void this.settleGivenUp(job) }
    this.cluster = new Consumer(
      fleet,
      {
        ...common,
        topic: clusterTopic,
        gate: dock.clusterWork,
        concurrency: concurrency.cluster,
        run: (job, token) => this.checked(job, token, (payload) => this.fromCluster(job, payload, token)),
      },
      log,
    )
    const own = new Consumer(
      fleet,
      {
        ...common,
        topic: dockTopic(hostname),
        gate: dock.work,
        concurrency: concurrency.own,
        run: (job, token) => this.checked(job, token, (payload) => this.fromOwn(job, payload, token)),
      },
      log,
    )
    this.consumers = [this.cluster, own]
  }

  /** Takes no more jobs; finishes what is under way if it ends in time, hands the rest back, and records all outcomes. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the worker stops'))
    await Promise.all(this.consumers.map((consumer) => consumer.takeNoMore()))
    await this.checks.settled()
    await this.handBack.unstarted()
    const settled = Promise.all(this.consumers.map((consumer) => consumer.close()))
    const timer = setTimeout(() => void this.handBack.started(), graceMs)
    await settled
    clearTimeout(timer)
    await this.runner.allRecorded()
  }

  /** Only what the API has signed goes on: anything may stand in Redis. */
  private async checked(
    job: SlotJob,
    token: string,
    run: (payload: JobPayload) => Promise<SlotReturn>,
  ): Promise<SlotReturn> {
    if (isNewer(job.data)) return this.putOff.later(job, token, newerAgainMs)
    const checked = await this.checks.check(job)
    if ('told' in checked) return { endedBefore: true }
    return this.checks.guard(checked.payload, () => run(checked.payload))
  }

  private async fromCluster(job: SlotJob, payload: JobPayload, token: string): Promise<SlotReturn> {
    const action = findAction(payload.action)
    const mayRun = !action || !needsDaemon(action) || (await this.dock.mayPlace())
    if (mayRun) {
      try {
        return await this.ordered(job, payload, 0)
      } catch (error) {
        if (!(error instanceof NotHere)) throw error
      }
    }
    if (!this.dock.clusterWork.isOpen()) {
      // It was handed out while the gate was being shut, or shut it: others are ready for it.
      return this.putOff.toOthers(job, token)
    }
    return this.putOff.later(job, token, offerAgainMs)
  }

  private async fromOwn(job: SlotJob, payload: JobPayload, token: string): Promise<SlotReturn> {
    try {
      return await this.ordered(job, payload, this.meantSince(payload))
    } catch (error) {
      if (!(error instanceof NotHere)) throw error
    }
    if (payload.dock === anyDock) {
      await this.putOff.done(() =>
        this.fleet.jobs.forward(payload, clusterTopic, `${this.hostname} cannot take it now`),
      )
      return { forwardedTo: clusterTopic }
    }
    // Somebody asked for this very dock.
    return this.putOff.later(job, token, offerAgainMs)
  }

  /** What nobody has asked this very dock for is not meant for any machine. */
  private meantSince({ dock }: JobPayload): number {
    return dock === anyDock ? 0 : this.dock.actsSince()
  }

  /** Jobs of one container run one at a time in the order taken; others have a turn of their own. */
  private ordered(job: SlotJob, payload: JobPayload, meantSince: number): Promise<SlotReturn> {
    const slotId = slotJobId(payload.jobId, payload.slot)
    const takes = job.attemptsStarted
    const giveBack = async (): Promise<unknown> => {
      await this.runner.uncount(payload, 'the worker that had begun it stops, and has given it back')
      return job.moveToWait(job.token ?? '')
    }
    const inTurn = (started: () => boolean, stop: AbortSignal, cancel: AbortSignal): Promise<SlotReturn> =>
      this.turns.run(payload, mayLeave(payload, takes) ? cancel : null, async () => {
        if (!started()) throw new WaitingError()
        return this.runner.run(payload, { takes, from: job.queueName, stop, cancel, meantSince })
      })
    return this.handBack.guard(giveBack, (started, stop) =>
      this.cancels.guard(slotId, (cancel) =>
        inTurn(started, stop, cancel).catch((error: unknown) => {
          if (error instanceof LeftLine && started()) return this.runner.endUnbegun(payload, error.why)
          throw error
        }),
      ),
    )
  }

  /** A pull leaves its place to short work meanwhile, and on the cluster topic its turn to other jobs. */
  private async pull(join: () => Promise<void>): Promise<void> {
    if (this.pulls.waiters >= maxPulling) throw new NotHere('too many jobs wait for pulls here')
    try {
      await this.turns.atWork.outside(async () => {
        const ended = join()
        this.cluster.concurrency = concurrency.cluster + this.pulls.waiters
        await ended
      })
    } finally {
      this.cluster.concurrency = concurrency.cluster + this.pulls.waiters
    }
  }

  /** What is told beside the work must not hold it up, or fail it. */
  private tell(payload: JobPayload, telling: Telling): void {
    this.fleet.jobs.tell(payload, telling).catch((error: unknown) => {
      this.log.warn({ err: error, job: payload.jobId }, 'what a job goes through could not be told')
    })
  }

  /** A job that BullMQ gave up because its workers died over it: none of them could say how it ended. */
  private async settleGivenUp(job: SlotJob): Promise<void> {
    if (isOwnFailure(job.failedReason)) return
    try {
      const outcome = standing(0, job, 'failed')
      if (isFinished(outcome)) await this.fleet.jobs.settleEntry({ topic: job.queueName, id: String(job.id) }, outcome)
    } catch (error) {
      this.log.warn({ err: error, job: job.id }, 'how a job ended could not be recorded')
    }
  }
}

/** What an earlier try may have made has to be looked for, which takes a turn. */
const mayLeave = ({ params }: JobPayload, takes: number): boolean => takes === 1 || typeof params['id'] === 'string'
