import { DebloxError } from '@deblox/actions/errors'
import { isFinished, type JobRecord, type SlotOutcome, type SlotStatus } from '@deblox/fleet/job'
import type { Jobs } from '@deblox/fleet/jobs'
import { dockOfTopic } from '@deblox/fleet/names'
import type { Reply } from '@deblox/fleet/replies'

interface Waiting {
  slots: number
  outcomes: Map<number, SlotOutcome>
  done: () => void
}

interface Expectation {
  /** How every slot stands when all have ended, when the time is over, or when the caller has gone. */
  outcome(record: JobRecord, ms: number, gone: AbortSignal): Promise<SlotStatus[]>
  /** Stops waiting. */
  forget(): void
}

/** Between two looks at a job whose replies go to another replica, in milliseconds. */
const look = { first: 50, longest: 1_000 }

/**
 * Waits for jobs by the replies on this replica's stream, and looks a job up itself when the time is over or the
 * stream may have missed something. Never a listener per topic: that would be docks × replicas connections.
 */
export class Waiter {
  private readonly waiting = new Map<string, Waiting>()
  private readonly draining = new AbortController()

  constructor(private readonly jobs: Jobs) {}

  /** Begins to wait; to be called before the job is accepted, for it may end before that call returns. */
  expect(jobId: string, slots: number): Expectation {
    let done: () => void = () => {}
    const ended = new Promise<void>((resolve) => {
      done = resolve
    })
    const waiting: Waiting = { slots, outcomes: new Map(), done }
    this.waiting.set(jobId, waiting)
    return {
      outcome: async (record, ms, gone) => {
        if (ms > 0) await before(ended, ms, [gone, this.draining.signal])
        this.waiting.delete(jobId)
        return isComplete(waiting) ? this.whole(record, waiting) : this.lookUpOrWaiting(record)
      },
      forget: () => void this.waiting.delete(jobId),
    }
  }

  /** Waits for a job that was accepted before, maybe by another replica, by looking at it. */
  async follow(jobId: string, ms: number, gone: AbortSignal): Promise<SlotStatus[]> {
    const deadline = Date.now() + ms
    for (let pause = look.first; ; pause = Math.min(2 * pause, look.longest)) {
      const { slots } = await this.jobs.status(jobId)
      const left = deadline - Date.now()
      const over = left <= 0 || gone.aborted || this.draining.signal.aborted
      if (over || slots.every(isFinished)) return slots
      await before(never, Math.min(pause, left), [gone, this.draining.signal])
    }
  }

  /** Ends all waits at once, those too that are yet to begin: their callers are told where to look. */
  drain(): void {
    this.draining.abort()
  }

  /** Takes a reply from the stream. */
  onReply({ jobId, outcome }: Reply): void {
    const waiting = this.waiting.get(jobId)
    if (!waiting) return
    waiting.outcomes.set(outcome.slot, outcome)
    if (isComplete(waiting)) waiting.done()
  }

  /** Looks up all that is waited for: replies may have been missed. */
  async onGap(): Promise<void> {
    await Promise.all([...this.waiting.keys()].map((jobId) => this.lookUp(jobId)))
  }

  /** It was accepted: a Redis that is away when the wait ends makes no failure of that. */
  private async lookUpOrWaiting(record: JobRecord): Promise<SlotStatus[]> {
    try {
      return (await this.jobs.status(record.id)).slots
    } catch (error) {
      if (!(error instanceof DebloxError && error.code === 'redis_unavailable')) throw error
      return record.topics.map((topic, n) => {
        return { slot: n + 1, state: 'waiting', dock: dockOfTopic(topic), attempts: 0, startedAt: null }
      })
    }
  }

  private async lookUp(jobId: string): Promise<void> {
    // A job that is not accepted yet, or a Redis that is away again, is looked up when the wait ends.
    const found = await this.jobs.status(jobId).catch(() => undefined)
    for (const slot of found?.slots ?? []) {
      if (isFinished(slot)) this.onReply({ jobId, outcome: slot, action: '', acceptedAt: 0 })
    }
  }

  /** A large result is not sent along with the reply. */
  private async whole(record: JobRecord, { outcomes }: Waiting): Promise<SlotOutcome[]> {
    const sorted = [...outcomes.values()].sort((one, other) => one.slot - other.slot)
    return Promise.all(
      sorted.map(async (outcome) => {
        if (outcome.state === 'failed' || outcome.result) return outcome
        return { ...outcome, result: await this.jobs.result(record, outcome.slot) }
      }),
    )
  }
}

const isComplete = ({ slots, outcomes }: Waiting): boolean => outcomes.size === slots

const never = new Promise<void>(() => {})

/** Resolves when the promise does, the time is over, or one of the signals aborts. */
async function before(promise: Promise<void>, ms: number, signals: AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return
  let end: () => void = () => {}
  const over = new Promise<void>((resolve) => {
    end = resolve
  })
  const timer = setTimeout(end, ms)
  for (const signal of signals) signal.addEventListener('abort', end)
  // A promise that never resolves would keep what races with it.
  await (promise === never ? over : Promise.race([promise, over]))
  clearTimeout(timer)
  for (const signal of signals) signal.removeEventListener('abort', end)
}
