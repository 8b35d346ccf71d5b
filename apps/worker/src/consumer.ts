import { performance } from 'node:perf_hooks'
import type { Fleet } from '@deblox/fleet/fleet'
import type { SignedJob } from '@deblox/fleet/job'
import { mendActive } from '@deblox/fleet/mend'
import { times } from '@deblox/fleet/names'
import { keptByBullMQ, type SlotReturn } from '@deblox/fleet/topics'
import type { Job } from 'bullmq'
import type { Logger } from 'pino'
import { coalesce } from './coalesce'
import type { Gate } from './gate'
import { InOrderWorker } from './in-order-worker'
import { Watchdog } from './watchdog'

export type SlotJob = Job<SignedJob, SlotReturn>

interface ConsumerOptions {
  topic: string
  hostname: string
  /** Open while jobs may be taken. */
  gate: Gate
  /** How many jobs are taken at once. */
  concurrency: number
  run(job: SlotJob, token: string): Promise<SlotReturn>
  /** BullMQ has given a job up: its workers died over it. */
  onGivenUp(job: SlotJob): void
  /** Nothing is taken although it could be, also over new connections. */
  onDeaf(error: Error): void
}

/** How often it is looked whether jobs are taken, in milliseconds. */
const lookMs = 5_000

/** BullMQ gives a job up whose workers died so often. Before that, a worker counts the starts itself, and knows more. */
const maxStalledCount = 10

/** Takes jobs from one topic while its gate is open, and sees to it that it does. */
export class Consumer {
  private worker: InOrderWorker<SignedJob, SlotReturn>
  private readonly watchdog = new Watchdog()
  private readonly timer: NodeJS.Timeout
  private active = 0
  private tookAt = performance.now()
  private couldTakeSince: number | null = null
  private readonly mended: () => Promise<void>

  constructor(
    private readonly fleet: Fleet,
    private readonly options: ConsumerOptions,
    private readonly log: Logger,
  ) {
    this.mended = coalesce(() => mendActive(fleet, options.topic))
    this.worker = this.listen()
    // Without waiting for what is active: a gate shuts because the daemon hangs, and then that may take long.
    options.gate.onChange((open) => {
      this.noteRoom()
      void (open ? this.worker.resume() : this.worker.pause(true))
    })
    this.noteRoom()
    this.timer = setInterval(() => void this.look(), lookMs)
  }

  /** How many jobs are taken at once from now on. */
  set concurrency(limit: number) {
    this.options.concurrency = limit
    this.worker.takeUpTo(limit)
    this.noteRoom()
  }

  /** Resolves when all that was taken has reached `run`, and nothing more will be. */
  async takeNoMore(): Promise<void> {
    clearInterval(this.timer)
    await this.worker.takeNoMore()
  }

  /** Resolves when all that was taken has ended. */
  async close(): Promise<void> {
    clearInterval(this.timer)
    await this.worker.close()
  }

  private listen(): InOrderWorker<SignedJob, SlotReturn> {
    const { topic, hostname, gate, concurrency } = this.options
    const worker = new InOrderWorker<SignedJob, SlotReturn>(topic, (job, token) => this.process(job, token ?? ''), {
      connection: this.fleet.redis,
      prefix: this.fleet.prefix,
      name: hostname,
      concurrency,
      lockDuration: times.jobLock,
      stalledInterval: times.stalledCheck,
      maxStalledCount,
      ...keptByBullMQ,
      autorun: false,
    })
    worker.on('failed', (job) => {
      if (job) this.options.onGivenUp(job)
    })
    worker.on('error', (error) => {
      this.log.warn({ err: error, topic }, 'taking jobs failed; trying again')
      void this.mend()
    })
    if (gate.isOpen()) void worker.resume()
    return worker
  }

  private async process(job: SlotJob, token: string): Promise<SlotReturn> {
    this.active++
    this.tookAt = performance.now()
    this.noteRoom()
    try {
      return await this.options.run(job, token)
    } finally {
      this.active--
      this.noteRoom()
    }
  }

  /** Taking may have failed over a record that somebody else has written. Never rejects. */
  private async mend(): Promise<void> {
    await this.mended().catch((error: unknown) => this.log.debug({ err: error }, 'looking for broken jobs failed'))
  }

  private noteRoom(): void {
    const could = this.options.gate.isOpen() && this.active < this.options.concurrency
    this.couldTakeSince = could ? (this.couldTakeSince ?? performance.now()) : null
  }

  private async look(): Promise<void> {
    const { couldTakeSince, tookAt } = this
    if (couldTakeSince === null) return
    // A Redis that is away keeps everybody from taking jobs: that ends by itself.
    const oldestWaits = await this.oldestWaits().catch(() => null)
    const verdict = this.watchdog.look({ now: performance.now(), couldTakeSince, tookAt, oldestWaits })
    if (verdict === 'fine') return
    const { topic } = this.options
    if (verdict === 'end') return this.options.onDeaf(deaf(topic))
    this.log.error({ topic }, 'jobs wait, and none is taken; listening anew')
    const old = this.worker
    this.worker = this.listen()
    // What it has taken goes on; its connection may be what hangs.
    old.close().catch(() => undefined)
  }

  private async oldestWaits(): Promise<number | null> {
    const { redis, prefix } = this.fleet
    const key = (name: string): string => `${prefix}:${this.options.topic}:${name}`
    const oldest = await redis.lindex(key('wait'), -1)
    if (oldest === null) return null
    // Not by BullMQ, which reads nothing of a record that it cannot read whole.
    const [timestamp, [seconds]] = await Promise.all([redis.hget(key(oldest), 'timestamp'), redis.time()])
    return Number(seconds) * 1000 - (Number(timestamp) || 0)
  }
}

const deaf = (topic: string): Error =>
  new Error(`expected jobs to be taken from ${topic} over new connections, but none was; another process may do better`)
