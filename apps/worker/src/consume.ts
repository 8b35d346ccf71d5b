import { DebloxError } from '@deblox/actions/errors'
import { findAction } from '@deblox/actions/registry'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished, type JobPayload, slotJobId } from '@deblox/fleet/job'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import { isNewer, parsePayload } from '@deblox/fleet/payload'
import { isOwnFailure, standing } from '@deblox/fleet/standing'
import type { SlotReturn } from '@deblox/fleet/topics'
import { DelayedError, WaitingError } from 'bullmq'
import type { Logger } from 'pino'
import { Cancels } from './cancels'
import { Consumer, type SlotJob } from './consumer'
import type { Dock } from './dock'
import { reportOf } from './failure'
import { HandBack } from './hand-back'
import { Pulls } from './pulls'
import { needsDaemon, NotHere, type RunContext } from './run-action'
import { failed, SlotRunner } from './slot-runner'
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

/** BullMQ's score of a job that was put off is its time by this much. */
const delayedScale = 0x1000

/** What is under way gets so long when the worker stops, in milliseconds; then it is handed back. */
const graceMs = 7_000

/** What the consumers are given; what they add to it themselves is the rest of a `RunContext`. */
export type ConsumersContext = Omit<RunContext, 'pullOnce' | 'workAgain'>

/** Takes jobs from the cluster topic and from this dock's, in an order that holds for each container. */
export class Consumers {
  private readonly hostname: string
  private readonly turns: Turns
  private readonly pulls = new Pulls()
  private readonly handBack = new HandBack()
  private readonly cancels: Cancels
  private readonly runner: SlotRunner
  private readonly cluster: Consumer
  private readonly consumers: Consumer[]

  constructor(
    private readonly fleet: Fleet,
    private readonly dock: Dock,
    context: ConsumersContext,
    private readonly log: Logger,
    onDeaf: (error: Error) => void,
  ) {
    const { hostname } = context
    this.hostname = hostname
    this.turns = new Turns(fleet.jobs, () => fleet.clock.now())
    this.cancels = new Cancels(fleet.endings, hostname, log)
    this.runner = new SlotRunner(
      {
        ...context,
        pullOnce: (reference, signal, pull) => this.pull(() => this.pulls.once(reference, signal, pull)),
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
    await Promise.all(this.consumers.map((consumer) => consumer.takeNoMore()))
    await this.handBack.unstarted()
    const settled = Promise.all(this.consumers.map((consumer) => consumer.close()))
    const timer = setTimeout(() => void this.handBack.started(), graceMs)
    await settled
    clearTimeout(timer)
    await this.runner.allRecorded()
  }

  /** Only what Deblox itself has written goes on: anything may stand in Redis. */
  private async checked(
    job: SlotJob,
    token: string,
    run: (payload: JobPayload) => Promise<SlotReturn>,
  ): Promise<SlotReturn> {
    const data: unknown = job.data
    if (isNewer(data)) {
      return this.putOff(job, token, newerAgainMs)
    }
    let payload: JobPayload
    try {
      payload = parsePayload(data)
      if (!isItsOwn(payload, job.id)) throw notItsOwn(job.id)
    } catch (error) {
      this.log.error({ err: error, job: job.id }, 'a job that is none of ours was found on a topic')
      throw failed(reportOf(error), this.hostname, error)
    }
    return run(payload)
  }

  private async fromCluster(job: SlotJob, payload: JobPayload, token: string): Promise<SlotReturn> {
    const action = findAction(payload.action)
    const mayRun = !action || !needsDaemon(action) || (await this.dock.mayPlace())
    if (mayRun) {
      try {
        // Whoever is given it next: nobody has asked for that dock.
        return await this.ordered(job, { ...payload, dealt: true }, 0)
      } catch (error) {
        if (!(error instanceof NotHere)) throw error
      }
    }
    if (!this.dock.clusterWork.isOpen()) {
      // It was handed out while the gate was being shut, or shut it: others are ready for it.
      await job.moveToWait(token)
      throw new WaitingError()
    }
    return this.putOff(job, token, offerAgainMs)
  }

  private async fromOwn(job: SlotJob, payload: JobPayload, token: string): Promise<SlotReturn> {
    try {
      return await this.ordered(job, payload, this.meantSince(job, payload))
    } catch (error) {
      if (!(error instanceof NotHere)) throw error
    }
    if (payload.dealt) {
      await this.fleet.jobs.forward(payload, clusterTopic)
      return { forwardedTo: clusterTopic }
    }
    // Somebody asked for this very dock.
    return this.putOff(job, token, offerAgainMs)
  }

  /**
   * Has it looked at again later. BullMQ goes by the date of whoever puts a job off and of whoever takes it: on the cluster
   * topic, where these may be two machines, by Redis's, or a wrong date on one would keep a job for as long.
   */
  private async putOff(job: SlotJob, token: string, ms: number): Promise<never> {
    await job.moveToDelayed(Date.now() + ms, token)
    if (job.queueName === clusterTopic) {
      const score = (this.fleet.clock.now() + ms) * delayedScale
      await this.fleet.redis.zadd(`${this.fleet.prefix}:${clusterTopic}:delayed`, 'XX', score, String(job.id))
    }
    throw new DelayedError()
  }

  /** What nobody has asked this very dock for is not meant for any machine. */
  private meantSince(job: SlotJob, { jobId, slot, dealt }: JobPayload): number {
    const wasHandedOn = job.id !== slotJobId(jobId, slot)
    return dealt || wasHandedOn ? 0 : this.dock.actsSince()
  }

  /** Jobs of one container run one at a time in the order taken; others have a turn of their own. */
  private ordered(job: SlotJob, payload: JobPayload, meantSince: number): Promise<SlotReturn> {
    const slotId = slotJobId(payload.jobId, payload.slot)
    const attempts = job.attemptsStarted
    const giveBack = async (): Promise<unknown> => {
      await this.runner.uncount(payload)
      return job.moveToWait(job.token ?? '')
    }
    const inTurn = (started: () => boolean, stop: AbortSignal, cancel: AbortSignal): Promise<SlotReturn> =>
      this.turns.run(payload, mayLeave(payload, attempts) ? cancel : null, async () => {
        if (!started()) throw new WaitingError()
        return this.runner.run(payload, { attempts, stop, cancel, meantSince })
      })
    return this.handBack.guard(giveBack, (started, stop) =>
      this.cancels.guard(slotId, (cancel) =>
        inTurn(started, stop, cancel).catch((error: unknown) => {
          if (error instanceof LeftLine && started()) return this.runner.endUnbegun(payload, attempts, error.why)
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

  /** A job that BullMQ gave up because its workers died over it: none of them could say how it ended. */
  private async settleGivenUp(job: SlotJob): Promise<void> {
    if (isOwnFailure(job.failedReason)) return
    try {
      const payload = parsePayload(job.data)
      const outcome = standing(payload.slot, job, 'failed')
      if (isFinished(outcome)) await this.fleet.jobs.settle(payload, outcome)
    } catch (error) {
      const isForeign = error instanceof DebloxError && error.code === 'invalid_request'
      if (!isForeign) this.log.warn({ err: error, job: job.id }, 'how a job ended could not be recorded')
    }
  }
}

/** What an earlier try may have made has to be looked for, which takes a turn. */
const mayLeave = ({ params }: JobPayload, attempts: number): boolean =>
  attempts === 1 || typeof params['id'] === 'string'

/** Its id there is that of its slot, maybe after it was handed on. */
const isItsOwn = ({ jobId, slot }: JobPayload, id = ''): boolean =>
  id === slotJobId(jobId, slot) || id.startsWith(`${slotJobId(jobId, slot)}.`)

const notItsOwn = (id: string | undefined): DebloxError =>
  new DebloxError('invalid_request', `payload: expected the job and slot of ${String(id)}, got others`)
