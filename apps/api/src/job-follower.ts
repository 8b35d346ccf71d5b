import type { JobEvent } from '@deblox/fleet/job-events'
import type { Jobs } from '@deblox/fleet/jobs'

/** Somebody who follows a job. */
interface Follower {
  id: string
  /** The last event that he was told. */
  last: string
  onEvent: (event: JobEvent) => Promise<void> | void
  /** He has not taken what he was told yet: he is told more later. */
  isFull: () => boolean
  reading: boolean
  /** He was woken while he was being told something. */
  again: boolean
}

/** It is looked for what is new so often, in milliseconds: progress of pulls wakes nobody. */
const everyMs = 400

/** Of one job so much is read at a time. */
const atOnce = 100

/**
 * Tells what is told of jobs to all who follow them at this replica, each in turn and once. They are asked for together, on the
 * connection that all else goes over: never a blocking one for each.
 */
export class JobFollower {
  private readonly followers = new Set<Follower>()
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly jobs: Pick<Jobs, 'events'>,
    private readonly intervalMs = everyMs,
  ) {}

  /** How many follow some job now. */
  get size(): number {
    return this.followers.size
  }

  /**
   * Tells all that was told of a job after that event ('' for all of it), and what is told from now on, one after the other.
   * Where `onEvent` rejects the event is told again, later. Answers what ends it.
   */
  follow(id: string, after: string, { onEvent, isFull }: Pick<Follower, 'onEvent' | 'isFull'>): () => void {
    const follower = { id, last: after, onEvent, isFull, reading: false, again: false }
    this.followers.add(follower)
    this.timer ??= setInterval(() => this.wakeAll(), this.intervalMs)
    void this.read(follower)
    return () => {
      this.followers.delete(follower)
      if (this.followers.size === 0) this.stop()
    }
  }

  /** Something was told of that job, or may have been. */
  wake(id: string): void {
    for (const follower of this.followers) if (follower.id === id) void this.read(follower)
  }

  /** Tells nobody anything any more. */
  stop(): void {
    this.followers.clear()
    clearInterval(this.timer)
    this.timer = undefined
  }

  private wakeAll(): void {
    for (const follower of this.followers) void this.read(follower)
  }

  private async read(follower: Follower): Promise<void> {
    follower.again = true
    if (follower.reading) return
    follower.reading = true
    try {
      while (follower.again && !follower.isFull()) {
        follower.again = false
        await this.readPart(follower)
      }
    } catch {
      // Redis is away, or he cannot be told now: it is tried again with the next look.
    } finally {
      follower.reading = false
    }
  }

  private async readPart(follower: Follower): Promise<void> {
    const { events, last } = await this.jobs.events(follower.id, follower.last, atOnce)
    for (const event of events) {
      if (!this.followers.has(follower)) return
      await follower.onEvent(event)
      follower.last = event.id
    }
    // There may be more behind what was read.
    if (last !== follower.last || events.length === atOnce) follower.again = true
    follower.last = last
  }
}
